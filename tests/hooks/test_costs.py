import numpy as np
import pandas as pd
import pytest

from longtail.hooks.costs import costs


def test_costs_by_hand() -> None:
    lists = pd.DataFrame({"user_id": ["u1", "u1", "u2"], "item_id": ["a", "b", "a"]})
    arrays = {"user_factors": np.zeros((2, 3), np.float32), "counts": np.zeros(4, np.int64)}
    assert costs({"als_model": arrays}, 1.5) == {
        "als.fit_seconds": 1.5,
        "als.model_bytes": 2 * 3 * 4 + 4 * 8,
    }
    assert costs({"hybrid_gate": {"weights": [1.0]}}, 2.0) == {"hybrid.fit_seconds": 2.0}
    assert costs({"recommendations_als": lists}, 0.1) == {
        "als.milliseconds_per_user": pytest.approx(50)
    }


def test_models_for_validation_and_models_left_out_cost_nothing() -> None:
    none = pd.DataFrame({"user_id": []})
    outputs = {"als_validation_model": {"a": np.zeros(1)}, "ease_model": {}, "split": {"n": 1}}
    assert costs(outputs | {"recommendations_ease": none}, 1.0) == {}
