"""Every model on data at the edge: no history, no text, empty columns, one user, one item."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from tests.recommenders.worlds import histories_of, taste_world

from longtail.behaviour.histories import Histories
from longtail.errors import NotApplicableError
from longtail.item_graphs.graphs import nearest_by_cosine
from longtail.recommenders.base import Recommender, TrainingData
from longtail.recommenders.item_features import ItemFeatures
from longtail.recommenders.lists import recommend
from longtail.recommenders.registry import MODELS
from longtail.text.encoder import TextEncoder
from longtail.text.encoder_parameters import EncoderParameters

SMALL = {
    "sequence_transformer": {"epochs": 2, "dimensions": 4},
    "interest_network": {"epochs": 2},
    "cluster_attention": {"epochs": 2},
    "language_model_ranker": {"epochs": 1, "examples": 40, "candidates": 5},
    "semantic_matching": {"text_weight": 0.3},
}
every_model = pytest.mark.parametrize("name", MODELS)


def small(name: str) -> Recommender:
    return MODELS[name](**SMALL.get(name, {}))


@pytest.fixture(scope="module")
def world(tiny_encoder: Path) -> TrainingData:
    """30 users, the last without a history; 16 items, four of them cold; all features."""
    data = taste_world(29, 12, share=0.6)
    pairs = np.stack([data.histories.users, data.histories.items], axis=1)
    histories = histories_of(pairs[np.random.default_rng(0).permutation(len(pairs))], 30, 16)
    texts = np.array([f"{('lamp', 'rocket')[n % 2]} {n}" for n in range(16)], dtype=object)
    return TrainingData(histories, features(texts, tiny_encoder))


def features(texts: np.ndarray, encoder: Path) -> ItemFeatures:
    """Return all features of items with these texts."""
    parameters = EncoderParameters(model=str(encoder))
    embeddings = TextEncoder(parameters).encode(texts.tolist())
    embeddings[texts == ""] = 0
    graph = nearest_by_cosine(embeddings, 100)
    kind = [text.partition(" ")[0] for text in texts]
    attributes = pd.DataFrame({"categories": kind, "brand": kind, "price": np.arange(len(texts))})
    return ItemFeatures(embeddings, graph, graph, graph, embeddings, texts, attributes, parameters)


def check(name: str, data: TrainingData) -> np.ndarray | None:
    """Fit and score; the scores are finite and the lists complete, or the reason is given."""
    model, users = small(name), np.arange(data.histories.n_users)
    try:
        arrays = model.fit(data)
    except NotApplicableError:
        return None
    scores = model.score(arrays, data, users)
    assert scores.dtype == np.float32
    assert scores.shape == (data.histories.n_users, data.histories.n_items)
    assert np.isfinite(scores).all()
    lists = recommend(model, arrays, data, users, 3)
    assert lists["rank"].min() == 1 if len(lists) else data.histories.n_items == 1
    return scores


@every_model
def test_a_user_without_a_history_is_scored(name: str, world: TrainingData) -> None:
    assert check(name, world) is not None


@every_model
def test_histories_that_are_all_empty_are_scored(name: str, world: TrainingData) -> None:
    """New users alone, of whom nothing is known yet."""
    model = small(name)
    arrays = model.fit(world)
    nobody = Histories(
        np.array(["new", "newer"], dtype=object),
        world.histories.item_ids,
        *(np.empty(0, kind) for kind in (np.int32, np.int32, np.float32, np.float64)),
        reference=world.histories,
    )
    data = replace(world, histories=nobody)
    scores = model.score(model.fold_in(arrays, data), data, np.arange(2))
    assert scores.shape == (2, 16)
    assert np.isfinite(scores).all()


@every_model
@pytest.mark.parametrize("without", ["some", "all"])
def test_items_without_text(
    name: str, without: str, world: TrainingData, tiny_encoder: Path
) -> None:
    texts = world.items.texts.copy()
    texts[:: 2 if without == "some" else 1] = ""
    found = check(name, replace(world, items=features(texts, tiny_encoder)))
    assert found is not None or without == "all"


@every_model
def test_empty_catalogue_columns(name: str, world: TrainingData) -> None:
    empty = pd.DataFrame({"categories": [""] * 16, "brand": [""] * 16, "price": [np.nan] * 16})
    for attributes in (empty, pd.DataFrame()):
        data = replace(world, items=replace(world.items, attributes=attributes))
        assert check(name, data) is not None


@every_model
def test_one_user(name: str, world: TrainingData) -> None:
    for own in ([0, 2, 4, 6], [3]):
        pairs = np.array([[0, item] for item in own])
        check(name, replace(world, histories=histories_of(pairs, 1, 16)))


@every_model
def test_one_item(name: str, world: TrainingData, tiny_encoder: Path) -> None:
    items = features(world.items.texts[:1], tiny_encoder)
    for buyers in (5, 1):
        pairs = np.array([[user, 0] for user in range(buyers)])
        check(name, replace(world, histories=histories_of(pairs, 5, 1), items=items))


@every_model
def test_items_that_nobody_has_neighbours_of(name: str, world: TrainingData) -> None:
    nothing = sp.csr_array((16, 16), dtype=np.float32)
    items = replace(
        world.items,
        text_neighbours=nothing,
        frozen_neighbours=nothing,
        tfidf_neighbours=nothing,
    )
    assert check(name, replace(world, items=items)) is not None
