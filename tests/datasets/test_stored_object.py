from pathlib import Path

import numpy as np
import pandas as pd
from kedro.io import Version
from tests.recommenders.worlds import taste_world, with_items

from longtail.arrays import content_digest
from longtail.behaviour.histories import Histories
from longtail.datasets.stored_object import StoredObjectDataset
from longtail.recommenders.collaborative.als import ALS
from longtail.recommenders.fitted_model import FittedModel
from longtail.recommenders.item_features import ItemFeatures

DATA = taste_world(12, 8, share=0.5, new_items=2)


def round_trip(path: Path, stored: object, holds: type) -> object:
    dotted = f"{holds.__module__}.{holds.__qualname__}"
    dataset = StoredObjectDataset(str(path), dotted, Version(None, "2026-01-01T00.00.00.000Z"))
    dataset.save(stored)  # type: ignore[arg-type]
    assert dataset.exists()
    assert dataset.preview()["data"]
    return dataset.load()


def test_histories_are_stored_as_they_are(tmp_path: Path) -> None:
    loaded = round_trip(tmp_path / "a.safetensors", DATA.histories, Histories)
    assert isinstance(loaded, Histories)
    assert content_digest(loaded.to_arrays()) == content_digest(DATA.histories.to_arrays())
    assert loaded.user_ids.tolist() == DATA.histories.user_ids.tolist()


def test_item_features_are_stored_as_they_are(tmp_path: Path) -> None:
    attributes = pd.DataFrame({"categories": "toy", "brand": [""] * 9 + ["Bär"], "price": np.nan})
    texts = np.array(["", "ein Bär", "🐻", *"abcdefg"], dtype=object)
    features = with_items(DATA, texts=texts, attributes=attributes).items
    loaded = round_trip(tmp_path / "a.safetensors", features, ItemFeatures)
    assert isinstance(loaded, ItemFeatures)
    assert content_digest(loaded.to_arrays()) == content_digest(features.to_arrays())
    assert loaded.texts.tolist() == texts.tolist()
    pd.testing.assert_frame_equal(loaded.attributes, attributes)


def test_features_that_were_not_made_stay_empty(tmp_path: Path) -> None:
    loaded = round_trip(tmp_path / "a.safetensors", ItemFeatures(), ItemFeatures)
    assert isinstance(loaded, ItemFeatures)
    assert not any(map(loaded.has, ("vectors", "texts", "attributes", "text_neighbours")))
    assert loaded.has("encoder")


def test_a_fitted_model_is_stored_with_its_hyperparameters(tmp_path: Path) -> None:
    model = FittedModel(ALS(factors=4, alpha=2.5), {"now": np.array(3.0), "x": np.ones((2, 3))})
    loaded = round_trip(tmp_path / "a.safetensors", model, FittedModel)
    assert isinstance(loaded, FittedModel)
    assert loaded.recommender == model.recommender
    assert (loaded.name, loaded.not_applicable) == ("als", "")
    assert {name: array.shape for name, array in loaded.arrays.items()} == {"now": (), "x": (2, 3)}


def test_a_model_that_the_data_did_not_allow_is_stored_with_the_reason(tmp_path: Path) -> None:
    loaded = round_trip(tmp_path / "a.safetensors", FittedModel(ALS(), {}, "Why."), FittedModel)
    assert isinstance(loaded, FittedModel)
    assert (loaded.arrays, loaded.not_applicable) == ({}, "Why.")
