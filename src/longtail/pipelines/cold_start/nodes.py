"""Nodes of the cold-start study: lists of new items alone, and users folded in step by step."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from longtail.behaviour.histories import build_histories
from longtail.metrics.cold_start import candidate_pools, folding_in_rows
from longtail.metrics.leaderboard import Row
from longtail.models import MODELS
from longtail.models.base import TrainingData, recommend
from longtail.models.candidates import FittedModel
from longtail.models.hybrid import Hybrid, HybridParameters, recommend_hybrid
from longtail.models.tuning import TuningParameters
from longtail.pipelines.evaluation.nodes import evaluate_models
from longtail.pipelines.evaluation.params import EvaluationParameters
from longtail.pipelines.recommenders import (
    NO_RECOMMENDATIONS,
    fitted_models,
    indices_of_users,
    separate_models,
    training_data,
)
from longtail.reporting import figures, terminal

logger = logging.getLogger(__name__)


def recommend_cold_items(
    hybrid: HybridParameters,
    tuning: TuningParameters,
    gate: dict[str, Any],
    test: pd.DataFrame,
    length: int,
    **inputs: Any,
) -> pd.DataFrame:
    """Return the lists of every fitted model and of the hybrid with new items as only candidates.

    Columns: model, user_id, item_id, rank, score; no rows where every item has an interaction.
    """
    tables, parts = separate_models(inputs)
    data = training_data(**tables, seed=tuning.seed, with_validation=True)
    cold = data.histories.item_counts() == 0
    if not cold.any():
        logger.info(
            "There is no new item to study: every item has an interaction before the test. Hide"
            " some with the parameter behaviour_cleaning.protocol=item_cold."
        )
        return pd.DataFrame(columns=["model", *NO_RECOMMENDATIONS])
    users = indices_of_users(test, data.histories)
    models = all_fitted(parts)
    return _lists(models, Hybrid.from_json(gate), hybrid, data, users, length, cold)


def recommend_folded_in(
    hybrid: HybridParameters,
    tuning: TuningParameters,
    gate: dict[str, Any],
    split: dict[str, Any],
    fold_in: pd.DataFrame,
    length: int,
    **inputs: Any,
) -> pd.DataFrame:
    """Return the lists of hidden users after each number of their first interactions.

    What a user did before the held-out interactions is never listed, whatever the length of the
    history, so that all lengths are compared on the same candidates.

    Columns: model, n_folded_in, user_id, item_id, rank, score; no rows where no user is hidden.
    """
    if fold_in.empty:
        logger.info(
            "There is no hidden user to study; hide some with the parameter"
            " behaviour_cleaning.protocol=user_cold."
        )
        return pd.DataFrame(columns=["model", "n_folded_in", *NO_RECOMMENDATIONS])
    tables, parts = separate_models(inputs)
    data = training_data(**tables, seed=tuning.seed, with_validation=True)
    models, fitted = all_fitted(parts), Hybrid.from_json(gate)
    longest = int(fold_in["position"].max())
    lists = []
    for n_folded_in in split["fold_in"]:
        own = newcomers(data, fold_in, n_folded_in)
        folded = {
            name: FittedModel(m.recommender, m.recommender.fold_in(m.arrays, own))
            for name, m in models.items()
        }
        users = np.arange(own.histories.n_users)
        table = _lists(folded, fitted, hybrid, own, users, length + longest)
        lists.append(_without(table, fold_in, length).assign(n_folded_in=n_folded_in))
    return pd.concat(lists)


def newcomers(data: TrainingData, fold_in: pd.DataFrame, n_folded_in: int) -> TrainingData:
    """Return the data in which hidden users have their first interactions and nobody else is."""
    histories = build_histories(
        fold_in[fold_in["position"] <= n_folded_in],
        np.sort(fold_in["user_id"].unique()).astype(object),
        data.histories.item_ids,
        reference=data.histories,
    )
    return replace(data, histories=histories)


def all_fitted(parts: dict[str, Any]) -> dict[str, FittedModel]:
    """Return every model that was fitted."""
    names = tuple(name for name in MODELS if parts[f"{name}_arrays"])
    return fitted_models(MODELS, names, parts)


def evaluate_candidate_pools(
    parameters: EvaluationParameters,
    leaderboard: list[Row],
    cold_recommendations: pd.DataFrame,
    **tables: Any,
) -> list[Row]:
    """Return the quality of each model among cold, warm and all candidates."""
    if cold_recommendations.empty:
        return []
    cold_leaderboard = _leaderboard(parameters, cold_recommendations, tables)
    return candidate_pools(leaderboard, cold_leaderboard)


def evaluate_folded_in(
    parameters: EvaluationParameters, folded_in_recommendations: pd.DataFrame, **tables: Any
) -> list[Row]:
    """Return the quality of each model for hidden users by the length of their history."""
    rows: list[Row] = []
    lengths = folded_in_recommendations["n_folded_in"]
    for n_folded_in in sorted(lengths.unique()):
        lists = folded_in_recommendations[lengths == n_folded_in]
        rows += folding_in_rows(_leaderboard(parameters, lists, tables), int(n_folded_in))
    return rows


def plot_folded_in(folded_in: list[Row], parameters: EvaluationParameters) -> go.Figure:
    """Draw NDCG by the number of interactions that a new user was given."""
    return figures.folding_in_plot(folded_in, parameters.primary_k)


def show_cold_start(
    candidate_pools: list[Row], folded_in: list[Row], parameters: EvaluationParameters
) -> None:
    """Print the tables of the study to the terminal."""
    terminal.print_candidate_pools(candidate_pools, parameters.primary_k)
    terminal.print_folding_in(folded_in, parameters.primary_k)


def _leaderboard(
    parameters: EvaluationParameters, lists: pd.DataFrame, tables: dict[str, Any]
) -> list[Row]:
    """Return the leaderboard of lists that stand in one table."""
    by_model = {str(model): part for model, part in lists.groupby("model", sort=False)}
    inputs: dict[str, Any] = tables | by_model
    _, _, leaderboard, _ = evaluate_models(parameters, **inputs)
    return leaderboard


def _lists(
    models: dict[str, FittedModel],
    fitted: Hybrid,
    hybrid: HybridParameters,
    data: TrainingData,
    users: NDArray[np.int64],
    length: int,
    candidates: NDArray[np.bool_] | None = None,
) -> pd.DataFrame:
    """Return the lists of each model and of the hybrid."""
    lists = {
        name: recommend(
            model.recommender, model.arrays, data, users, length, f"{name} recommends", candidates
        )
        for name, model in models.items()
    }
    sources = {name: models[name] for name in hybrid.sources if name in models}
    lists["hybrid"] = recommend_hybrid(fitted, sources, data, users, length, hybrid, candidates)
    columns = list(NO_RECOMMENDATIONS)
    return pd.concat([table[columns].assign(model=name) for name, table in lists.items()])


def _without(lists: pd.DataFrame, interactions: pd.DataFrame, length: int) -> pd.DataFrame:
    """Return the lists without the user's interactions, closed up and cut to a length."""
    pairs = pd.MultiIndex.from_frame(interactions[["user_id", "item_id"]])
    kept = lists[~pd.MultiIndex.from_frame(lists[["user_id", "item_id"]]).isin(pairs)]
    rank = kept.groupby(["model", "user_id"])["rank"].rank(method="first").astype(np.int64)
    return kept.assign(rank=rank)[rank <= length]
