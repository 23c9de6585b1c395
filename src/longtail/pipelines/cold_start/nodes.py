"""Nodes of the cold-start study: lists of new items alone, and users folded in step by step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from longtail.errors import UserError
from longtail.metrics.cold_start import candidate_pools
from longtail.metrics.leaderboard import Row
from longtail.models import COLLABORATIVE, LANGUAGE
from longtail.models.base import TrainingData, recommend
from longtail.models.candidates import FittedModel
from longtail.models.hybrid import Hybrid, HybridParameters, recommend_hybrid
from longtail.models.tuning import TuningParameters
from longtail.pipelines.evaluation.nodes import evaluate_models
from longtail.pipelines.evaluation.params import EvaluationParameters
from longtail.pipelines.recommenders import (
    fitted_models,
    indices_of_users,
    separate_models,
    training_data,
)
from longtail.reporting import terminal

SOURCES = COLLABORATIVE | LANGUAGE


def recommend_cold_items(
    hybrid: HybridParameters,
    tuning: TuningParameters,
    gate: dict[str, Any],
    test: pd.DataFrame,
    length: int,
    **inputs: Any,
) -> pd.DataFrame:
    """Return the lists of every fitted model and of the hybrid with new items as only candidates.

    Columns: model, user_id, item_id, rank, score.

    Raises:
        UserError: every item of the catalogue has an interaction.
    """
    tables, parts = separate_models(inputs)
    data = training_data(**tables, seed=tuning.seed, with_validation=True)
    cold = data.histories.item_counts() == 0
    if not cold.any():
        raise UserError(
            "There is no new item in the catalogue to study: every item has an interaction before"
            " the test. Hide some with the parameter behaviour_cleaning.protocol=item_cold."
        )
    users = indices_of_users(test, data.histories)
    names = tuple(name for name in SOURCES if parts[f"{name}_arrays"])
    models = fitted_models(SOURCES, names, parts)
    lists = _lists_of_models(models, data, users, length, cold)
    sources = fitted_models(SOURCES, hybrid.sources, parts)
    lists["hybrid"] = recommend_hybrid(
        Hybrid.from_json(gate), sources, data, users, length, hybrid, cold
    )
    columns = ["user_id", "item_id", "rank", "score"]
    return pd.concat([table[columns].assign(model=name) for name, table in lists.items()])


def evaluate_candidate_pools(
    parameters: EvaluationParameters,
    leaderboard: list[Row],
    cold_recommendations: pd.DataFrame,
    **tables: Any,
) -> list[Row]:
    """Return the quality of each model among cold, warm and all candidates."""
    lists = cold_recommendations.groupby("model", sort=False)
    tables |= {str(name): table for name, table in lists}
    _, _, cold_leaderboard, _ = evaluate_models(parameters, **tables)
    return candidate_pools(leaderboard, cold_leaderboard)


def show_candidate_pools(candidate_pools: list[Row], parameters: EvaluationParameters) -> None:
    """Print the study's table to the terminal."""
    terminal.print_candidate_pools(candidate_pools, parameters.primary_k)


def _lists_of_models(
    models: dict[str, FittedModel],
    data: TrainingData,
    users: NDArray[np.int64],
    length: int,
    candidates: NDArray[np.bool_] | None = None,
) -> dict[str, pd.DataFrame]:
    """Return the lists of each model."""
    return {
        name: recommend(
            model.recommender, model.arrays, data, users, length, f"{name} recommends", candidates
        )
        for name, model in models.items()
    }
