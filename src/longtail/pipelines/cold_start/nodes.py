"""Nodes of the cold-start study: lists of new items alone, and users folded in step by step."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import ibis.expr.types as ir
import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from longtail.arrays import Arrays
from longtail.behaviour.histories import Histories, build_histories
from longtail.hybrid.model import Hybrid
from longtail.hybrid.parameters import HybridParameters
from longtail.hybrid.ranking import recommend_hybrid
from longtail.metrics.cold_start import candidate_pools, folding_in_rows
from longtail.metrics.leaderboard import Row
from longtail.pipelines.evaluation.nodes import evaluate_models
from longtail.pipelines.evaluation.params import EvaluationParameters
from longtail.pipelines.recommenders.nodes import indices_of_users
from longtail.recommenders.base import TrainingData
from longtail.recommenders.fitted_model import FittedModel, applicable
from longtail.recommenders.item_features import ItemFeatures
from longtail.recommenders.lists import COLUMNS, recommend
from longtail.reporting import figures, terminal
from longtail.tuning.search import TuningParameters

logger = logging.getLogger(__name__)


def recommend_cold_items(
    hybrid: HybridParameters,
    tuning: TuningParameters,
    gate: dict[str, Any],
    past: Histories,
    test: pd.DataFrame,
    length: int,
    item_features: ItemFeatures,
    **models: FittedModel,
) -> pd.DataFrame:
    """Return the lists of every fitted model and of the hybrid with new items as only candidates.

    Columns: model, user_id, item_id, rank, score; no rows where every item has an interaction.
    """
    cold = past.item_counts() == 0
    if not cold.any():
        logger.info(
            "There is no new item to study: every item has an interaction before the test. Hide"
            " some with the parameter behaviour_cleaning.protocol=item_cold."
        )
        return pd.DataFrame(columns=["model", *COLUMNS])
    data = TrainingData(past, item_features, tuning.seed)
    users = indices_of_users(test, past)
    usable = applicable(models, list(models))
    return _lists(usable, Hybrid.from_json(gate), hybrid, data, users, length, cold)


def recommend_folded_in(
    hybrid: HybridParameters,
    tuning: TuningParameters,
    gate: dict[str, Any],
    past: Histories,
    split: dict[str, Any],
    fold_in: pd.DataFrame,
    length: int,
    item_features: ItemFeatures,
    **models: FittedModel,
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
        return pd.DataFrame(columns=["model", "n_folded_in", *COLUMNS])
    data = TrainingData(past, item_features, tuning.seed)
    usable, fitted = applicable(models, list(models)), Hybrid.from_json(gate)
    longest = int(fold_in["position"].max())
    lists = []
    for n_folded_in in split["fold_in"]:
        own = new_user_data(data, fold_in, n_folded_in)
        folded = {
            name: FittedModel(m.recommender, m.recommender.fold_in(m.arrays, own))
            for name, m in usable.items()
        }
        users = np.arange(own.histories.n_users)
        table = _lists(folded, fitted, hybrid, own, users, length + longest)
        lists.append(_without(table, fold_in, length).assign(n_folded_in=n_folded_in))
    return pd.concat(lists)


def new_user_data(data: TrainingData, fold_in: pd.DataFrame, n_folded_in: int) -> TrainingData:
    """Return data that holds only the first interactions of the hidden users."""
    histories = build_histories(
        fold_in[fold_in["position"] <= n_folded_in],
        np.sort(fold_in["user_id"].unique()).astype(object),
        data.histories.item_ids,
        reference=data.histories,
    )
    return replace(data, histories=histories)


def evaluate_candidate_pools(
    parameters: EvaluationParameters,
    test_interactions: pd.DataFrame,
    train_interactions: pd.DataFrame,
    validation_interactions: pd.DataFrame,
    item_groups: pd.DataFrame,
    user_groups: pd.DataFrame,
    language_vectors: Arrays,
    interactions: ir.Table,
    leaderboard: list[Row],
    cold_recommendations: pd.DataFrame,
) -> list[Row]:
    """Return the quality of each model among cold, warm and all candidates."""
    if cold_recommendations.empty:
        return []
    _, _, cold_leaderboard, _ = evaluate_models(
        parameters,
        test_interactions=test_interactions,
        train_interactions=train_interactions,
        validation_interactions=validation_interactions,
        item_groups=item_groups,
        user_groups=user_groups,
        language_vectors=language_vectors,
        interactions=interactions,
        **by_model(cold_recommendations),
    )
    return candidate_pools(leaderboard, cold_leaderboard)


def evaluate_folded_in(
    parameters: EvaluationParameters,
    test_interactions: pd.DataFrame,
    train_interactions: pd.DataFrame,
    validation_interactions: pd.DataFrame,
    item_groups: pd.DataFrame,
    user_groups: pd.DataFrame,
    language_vectors: Arrays,
    interactions: ir.Table,
    folded_in_recommendations: pd.DataFrame,
) -> list[Row]:
    """Return the quality of each model for hidden users by the length of their history."""
    rows: list[Row] = []
    lengths = folded_in_recommendations["n_folded_in"]
    for n_folded_in in sorted(lengths.unique()):
        _, _, leaderboard, _ = evaluate_models(
            parameters,
            test_interactions=test_interactions,
            train_interactions=train_interactions,
            validation_interactions=validation_interactions,
            item_groups=item_groups,
            user_groups=user_groups,
            language_vectors=language_vectors,
            interactions=interactions,
            **by_model(folded_in_recommendations[lengths == n_folded_in]),
        )
        rows += folding_in_rows(leaderboard, int(n_folded_in))
    return rows


def by_model(lists: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the lists of each model."""
    return {str(model): part for model, part in lists.groupby("model", sort=False)}


def plot_folded_in(folded_in: list[Row], parameters: EvaluationParameters) -> go.Figure:
    """Draw NDCG by the number of interactions that a new user was given."""
    return figures.folding_in_plot(folded_in, parameters.primary_k)


def show_cold_start(
    candidate_pools: list[Row], folded_in: list[Row], parameters: EvaluationParameters
) -> None:
    """Print the tables of the study to the terminal."""
    terminal.print_candidate_pools(candidate_pools, parameters.primary_k)
    terminal.print_folding_in(folded_in, parameters.primary_k)


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
    columns = list(COLUMNS)
    return pd.concat([table[columns].assign(model=name) for name, table in lists.items()])


def _without(lists: pd.DataFrame, interactions: pd.DataFrame, length: int) -> pd.DataFrame:
    """Return the lists without the user's interactions, closed up and cut to a length."""
    pairs = pd.MultiIndex.from_frame(interactions[["user_id", "item_id"]])
    kept = lists[~pd.MultiIndex.from_frame(lists[["user_id", "item_id"]]).isin(pairs)]
    rank = kept.groupby(["model", "user_id"])["rank"].rank(method="first").astype(np.int64)
    return kept.assign(rank=rank)[rank <= length]
