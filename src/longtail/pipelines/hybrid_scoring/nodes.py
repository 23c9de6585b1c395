"""Nodes of the hybrid: learn the gate on validation, recommend with the refitted sources."""

from __future__ import annotations

from typing import Any

import pandas as pd

from longtail.models import COLLABORATIVE, LANGUAGE
from longtail.models.hybrid import Hybrid, HybridParameters, fit_hybrid, recommend_hybrid
from longtail.models.tuning import TuningParameters
from longtail.pipelines.recommenders import (
    fitted_models,
    indices_of_users,
    targets_of,
    training_data,
)

SOURCES = COLLABORATIVE | LANGUAGE


def fit_hybrid_gate(
    hybrid: HybridParameters, tuning: TuningParameters, **inputs: Any
) -> dict[str, Any]:
    """Learn what each source of evidence is worth, and choose the tail knob, on validation."""
    tables, parts = _separate(inputs)
    data = training_data(**tables, seed=tuning.seed, with_validation=False)
    sources = fitted_models(SOURCES, hybrid.sources, parts)
    baseline = fitted_models(SOURCES, ("als",), parts)["als"]
    targets = targets_of(data.histories, tables, tuning)
    return fit_hybrid(sources, data, targets, baseline, hybrid).to_json()


def recommend_with_hybrid(
    hybrid: HybridParameters,
    tuning: TuningParameters,
    gate: dict[str, Any],
    test: pd.DataFrame,
    length: int,
    **inputs: Any,
) -> pd.DataFrame:
    """Return the ranked lists of all users of the test period, with the share of each source."""
    tables, parts = _separate(inputs)
    data = training_data(**tables, seed=tuning.seed, with_validation=True)
    sources = fitted_models(SOURCES, hybrid.sources, parts)
    users = indices_of_users(test, data.histories)
    return recommend_hybrid(Hybrid.from_json(gate), sources, data, users, length, hybrid)


def _separate(inputs: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split the inputs into the tables of the split and the parts of fitted models."""
    is_part = {name: name.endswith(("_hyperparameters", "_arrays")) for name in inputs}
    tables = {name: value for name, value in inputs.items() if not is_part[name]}
    return tables, {name: value for name, value in inputs.items() if is_part[name]}
