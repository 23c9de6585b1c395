"""Compressed and static vectors in a small world."""

import numpy as np
import pytest
from tests.recommenders.neural.test_networks import NEW_ITEMS, shuffled
from tests.recommenders.worlds import taste_world, with_items

from longtail.recommenders.base import TrainingData
from longtail.recommenders.neural.training import hold_out_last
from longtail.studies.compression import compression_table
from longtail.studies.static_model import StaticModel

KINDS = np.arange(40 + NEW_ITEMS) % 2
TEXTS = np.array(
    [f"{('wooden train', 'plush bear')[kind]} {number % 7}" for number, kind in enumerate(KINDS)],
    dtype=object,
)


@pytest.fixture(scope="module")
def world() -> TrainingData:
    """Even users like trains, odd ones bears; vectors and texts show the kind."""
    return with_items(shuffled(taste_world(60, 40, share=0.4, new_items=NEW_ITEMS)), texts=TEXTS)


def test_compression_table_has_quality_and_cost(world: TrainingData) -> None:
    part = hold_out_last(world, 1000)
    generator = np.random.default_rng(0)
    wide = np.concatenate(
        [world.items.vectors, generator.normal(scale=0.01, size=(46, 92))], axis=1
    ).astype(np.float32)
    data = with_items(part.data, vectors=wide)
    table = compression_table(data, part.targets, 10, encode=lambda texts: [len(t) for t in texts])
    ways = table.set_index("way")
    assert list(ways.index) == [
        "float32",
        "int8",
        "first 64",
        "first 32",
        "low rank 64",
        "low rank 32",
        "int8 of low rank 64",
        "static",
    ]
    assert ways.loc["float32", "bytes"] == 46 * 96 * 4
    assert ways.loc["int8", "bytes"] == 46 * 96 + 96 * 4
    assert ways.loc["first 32", "bytes"] == 46 * 32 * 4
    assert ways.loc["int8", "ndcg_share"] == pytest.approx(1, abs=0.1)
    assert ways.loc["low rank 32", "dimensions"] == 32
    assert (table[["encode_ms", "search_ms"]] >= 0).all(axis=None)


def test_a_static_model_encodes_known_words(world: TrainingData) -> None:
    model = StaticModel.distil(world)
    assert model.encode(TEXTS).shape == world.items.vectors.shape
    assert model.words.shape[1] == world.items.vectors.shape[1]
    cosines = model.encode(["a wooden train", "a plush bear"]) @ world.items.vectors.T
    assert cosines[0, KINDS == 0].min() > cosines[0, KINDS == 1].max()
    assert cosines[1, KINDS == 1].min() > cosines[1, KINDS == 0].max()
