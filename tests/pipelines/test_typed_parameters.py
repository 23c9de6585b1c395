"""Every parameter that is unknown or not valid is named before anything runs."""

from pathlib import Path
from typing import Any

import pytest
from kedro.config import OmegaConfigLoader
from kedro.framework.project import settings
from kedro.framework.startup import bootstrap_project

from longtail.errors import UserError
from longtail.pipelines.parameters import Parameters, read_as, read_parameters
from longtail.tracking.tracked_run import TrackingParameters

ROOT = Path(__file__).resolve().parents[2]


def raw(changes: dict[str, Any] | None = None) -> dict[str, Any]:
    """The base parameters with changes as of the command line."""
    bootstrap_project(ROOT)
    loader = OmegaConfigLoader(
        str(ROOT / "conf"), env="base", runtime_params=changes, **settings.CONFIG_LOADER_ARGS
    )
    return dict(loader["parameters"])


def message_of(changes: dict[str, Any]) -> str:
    with pytest.raises(UserError) as refused:
        read_parameters(raw(changes))
    return str(refused.value)


def test_the_base_parameters_are_valid() -> None:
    assert isinstance(read_parameters(raw()), Parameters)


def test_wrong_parameters_are_named() -> None:
    assert message_of({"tuning": {"trials": 0}}) == (
        "Parameter tuning.trials = 0 is not valid: it must be at least 1."
    )
    assert message_of({"tuning": {"trials": "x", "seeed": 3}}) == (
        "Parameter tuning.trials = 'x' is not valid: it must be a whole number.\n"
        "There is no parameter tuning.seeed: did you mean seed."
    )


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"hybird": {"cold_shelf": 0.1}}, "There is no parameter hybird: did you mean hybrid."),
        (
            {"item_encoding": {"encoder": {"dimension": 5}}},
            "There is no parameter item_encoding.encoder.dimension: did you mean dimensions.",
        ),
        ({"tuning": 5}, "Parameter tuning = 5 is not valid: it must be a group of parameters"),
        (
            {"hybrid": None},
            "Parameter hybrid = None is not valid: it must be a group of parameters",
        ),
        ({"recommendation_length": "abc"}, "Parameter recommendation_length = 'abc' is not valid"),
        ({"hybrid": {"sources": []}}, "Parameter hybrid.sources = [] is not valid"),
        (
            {"hybrid": {"tail_emphasis_grid": [0.5, 0.1]}},
            "the values must be 0 or more and ascend.",
        ),
        ({"evaluation": {"baseline": "alss"}}, "evaluation.baseline is alss; there are random"),
    ],
)
def test_each_kind_of_mistake_is_one_sentence(changes: dict[str, Any], sentence: str) -> None:
    message = message_of(changes)
    assert sentence in message
    assert "\n" not in message
    assert "pydantic" not in message


def test_wrong_settings_of_the_tracking_are_one_sentence() -> None:
    with pytest.raises(UserError, match=r"^There is no parameter log_modle: did you mean"):
        read_as(TrackingParameters, {"log_modle": True})
