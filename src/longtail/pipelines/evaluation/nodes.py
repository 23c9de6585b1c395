"""Nodes of the evaluation."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from longtail.errors import UserError
from longtail.metrics.leaderboard import Resampling, Row, compare_models
from longtail.metrics.scoring import per_item_table, per_user_table, score_model
from longtail.metrics.tables import ground_truth
from longtail.pipelines.evaluation.params import EvaluationParameters
from longtail.reporting import figures, terminal


def evaluate_models(
    parameters: EvaluationParameters,
    *,
    test_interactions: pd.DataFrame,
    train_interactions: pd.DataFrame,
    validation_interactions: pd.DataFrame,
    item_groups: pd.DataFrame,
    user_groups: pd.DataFrame,
    item_vectors: dict[str, np.ndarray],
    **recommendations: pd.DataFrame,
) -> tuple[pd.DataFrame, pd.DataFrame, list[Row], list[Row]]:
    """Score the recommendations of every model and compare them with the baseline.

    Args:
        parameters: what is measured and how.
        test_interactions: user_id, item_id; what the users went on to consume.
        train_interactions: user_id, item_id.
        validation_interactions: user_id, item_id.
        item_groups: item_id, interaction_count, item_group.
        user_groups: user_id, user_group.
        item_vectors: ``vectors``, float (n_items, d) of the item texts in catalogue order.
        **recommendations: user_id, item_id, rank by name of the model; a table without rows means
            that the model was not run, and leaves it out.

    Returns:
        per_user_metrics, per_item_metrics, leaderboard, comparisons.

    Raises:
        UserError: if no model was run, or the baseline is no model.
    """
    if parameters.baseline not in recommendations:
        raise UserError(
            f"Parameter evaluation.baseline: there is no model {parameters.baseline!r};"
            f" choose one of {', '.join(sorted(recommendations))}."
        )
    tables = {model: table for model, table in recommendations.items() if len(table)}
    if not tables:
        raise UserError("No model has recommendations: run als_baseline and hybrid_scoring first.")
    truth = ground_truth(
        test_interactions, train_interactions, validation_interactions, item_groups, user_groups
    )
    scores = {
        model: score_model(table, truth, parameters.ks, item_vectors["vectors"])
        for model, table in tables.items()
    }
    resampling = Resampling(parameters.bootstrap_draws, parameters.seed, parameters.confidence)
    leaderboard, comparisons = compare_models(scores, truth, parameters.baseline, resampling)
    return per_user_table(scores, truth), per_item_table(scores), leaderboard, comparisons


def plot_leaderboard(leaderboard: list[Row], parameters: EvaluationParameters) -> go.Figure:
    """Draw NDCG of every model with its interval."""
    return figures.leaderboard_plot(leaderboard, parameters.primary_k, parameters.confidence)


def plot_tail_against_overall(
    leaderboard: list[Row], parameters: EvaluationParameters
) -> go.Figure:
    """Draw tail recall against overall NDCG."""
    return figures.tail_against_overall_plot(
        leaderboard, parameters.primary_k, parameters.confidence
    )


def plot_recall_by_popularity(
    per_item_metrics: pd.DataFrame, parameters: EvaluationParameters
) -> go.Figure:
    """Draw recall by popularity decile of the target item."""
    return figures.recall_by_popularity_plot(per_item_metrics, parameters.primary_k)


def plot_exposure(per_item_metrics: pd.DataFrame, parameters: EvaluationParameters) -> go.Figure:
    """Draw Lorenz curves of exposure."""
    return figures.exposure_plot(per_item_metrics, parameters.primary_k)


def show_leaderboard(
    leaderboard: list[Row], comparisons: list[Row], parameters: EvaluationParameters
) -> None:
    """Print the headline table to the terminal."""
    terminal.print_leaderboard(leaderboard, comparisons, parameters.primary_k, parameters.baseline)
