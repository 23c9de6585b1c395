"""Every model as the only source of a served hybrid."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from tests.recommenders.test_edge_cases import small

from longtail.hybrid.fitting import fit_hybrid
from longtail.hybrid.parameters import HybridParameters
from longtail.project import open_catalog
from longtail.recommenders.fitted_model import FittedModel
from longtail.recommenders.registry import MODELS
from longtail.recommenders.validation import validation_targets
from longtail.serving.hybrid import ServedHybrid
from longtail.serving.storage import load_hybrid, save_hybrid
from longtail.tracking.model_registry import served_hybrid


def served_with(name: str) -> ServedHybrid:
    """Return the hybrid of the finished run with one model as its only source."""
    catalog = open_catalog(env="test")
    served, features = served_hybrid(catalog), catalog.load("item_features")
    data = replace(served.data, items=features)
    model = small(name)
    sources = {name: FittedModel(model, model.fit(data))}
    unseen = served.histories.matrix().toarray() == 0
    held_out = sp.csr_array(unseen & (np.random.default_rng(0).random(unseen.shape) < 0.1))
    targets = validation_targets(served.histories, held_out, 50, 0)
    parameters = HybridParameters(sources=(name,), candidates_per_source=20)
    hybrid = fit_hybrid(sources, data, targets, sources[name], parameters, 20)
    attributes = {column: values.to_numpy() for column, values in features.attributes.items()}
    return replace(
        served,
        sources=sources,
        hybrid=hybrid,
        parameters=parameters,
        items=served.items.assign(**attributes),
    )


@pytest.mark.parametrize("name", sorted(MODELS.keys() - {"popularity", "popularity_recent"}))
def test_every_model_is_served(name: str, finished_project: Path, tmp_path: Path) -> None:  # noqa: ARG001
    served = served_with(name)
    features = open_catalog(env="test").load("item_features")
    save_hybrid(served, tmp_path)
    again = load_hybrid(tmp_path)
    user = int(np.argmax(served.histories.history_lengths()))
    items = [str(item) for item in served.histories.item_ids[[3, 7]]]
    requests = (
        {"user_id": str(served.histories.user_ids[user])},
        {"item_ids": items},
        {"item_ids": []},
        {"text": "planet rocket"},
        {"item_ids": items, "new_items": {"new": "Moon rocket. planet"}},
    )
    for request in requests:
        answer = again.recommend(**request, k=5)
        assert len(answer) == 5
        assert np.isfinite(answer["score"]).all()
    longest = again.recommend(**requests[-1], k=1000)
    assert "new" in set(longest["item_id"])
    # A known user is served from what was fitted, with the scores of the pipeline.
    if name != "random":
        model, data = served.sources[name], replace(served.data, items=features)
        expected = model.recommender.score(model.arrays, data, np.array([user]))[0]
        one = replace(again.data, histories=again._lookup.of_user(user))
        row = {
            key: array[user : user + 1] if key in model.recommender.user_arrays else array
            for key, array in again.sources[name].arrays.items()
        }
        found = again.sources[name].recommender.score(row, one, np.array([0]))[0]
        assert found == pytest.approx(expected, abs=1e-3)
