from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from longtail.recommenders.collaborative.als import ALS
from longtail.recommenders.collaborative.ease import EASE
from longtail.recommenders.fitted_model import FittedModel
from longtail.runs.costs import by_model, costs, costs_behind
from longtail.runs.records import RunRecord, RunRecords


def test_costs_by_hand() -> None:
    lists = pd.DataFrame({"user_id": ["u1", "u1", "u2"], "item_id": ["a", "b", "a"]})
    arrays = {"user_factors": np.zeros((2, 3), np.float32), "counts": np.zeros(4, np.int64)}
    assert costs({"als_model": FittedModel(ALS(), arrays)}, 1.5) == {
        "als_model": {"fit_seconds": 1.5, "model_bytes": 2 * 3 * 4 + 4 * 8}
    }
    assert costs({"hybrid_gate": {"weights": [1.0]}}, 2.0) == {"hybrid_gate": {"fit_seconds": 2.0}}
    assert costs({"recommendations_als": lists}, 0.1) == {
        "recommendations_als": {"milliseconds_per_user": pytest.approx(50)}
    }


def test_models_for_validation_and_models_left_out_cost_nothing() -> None:
    none = pd.DataFrame({"user_id": []})
    outputs = {
        "als_validation_model": FittedModel(ALS(), {"a": np.zeros(1)}),
        "ease_model": FittedModel(EASE(), {}, "Too many items."),
        "split": {"n": 1},
    }
    assert costs(outputs | {"recommendations_ease": none}, 1.0) == {}


def test_costs_of_a_leaderboard_come_from_the_runs_that_fitted(tmp_path: Path) -> None:
    records = RunRecords(tmp_path)
    fitted = {"als_model": {"fit_seconds": 2.0}, "ease_model": {"fit_seconds": 3.0}}
    lists = {"recommendations_als": {"milliseconds_per_user": 0.5}}
    behind = {"als_model": "v1", "recommendations_als": "v2", "items": "v0"}
    records.write(RunRecord(version="v1", status="complete", costs=fitted))
    records.write(
        RunRecord(version="v2", status="complete", costs=lists, ancestors={"leaderboard": behind})
    )

    assert costs_behind("leaderboard", "v2", RunRecords(tmp_path)) == {
        "als": {"fit_seconds": 2.0, "milliseconds_per_user": 0.5}
    }


def test_costs_of_a_model_are_joined() -> None:
    found = {"hybrid_gate": {"fit_seconds": 1.0}, "recommendations_hybrid": {"milliseconds": 2.0}}
    assert by_model(found) == {"hybrid": {"fit_seconds": 1.0, "milliseconds": 2.0}}
