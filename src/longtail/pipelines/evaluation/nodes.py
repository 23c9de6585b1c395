"""Nodes of the evaluation."""

from functools import partial
from typing import Any

import ibis.expr.types as ir
import numpy as np
import pandas as pd
import plotly.graph_objects as go

from longtail.behaviour.cleaning.mass_rejections import warnings_of
from longtail.behaviour.relevance import relevant_interactions
from longtail.errors import UserError
from longtail.metrics.exposure import popularity_deciles
from longtail.metrics.headlines import headlines as headlines_of
from longtail.metrics.headlines import in_words
from longtail.metrics.leaderboard import Row, compare_models, drop_small_groups
from longtail.metrics.scoring import per_item_table, per_user_table, score_model
from longtail.metrics.tables import ground_truth
from longtail.pipelines.evaluation.params import EvaluationParameters
from longtail.recommenders.registry import MODELS
from longtail.reporting import examples, figures, terminal
from longtail.reporting.marks import RUN_VERSION
from longtail.reporting.page import Lists, evaluation_page
from longtail.reporting.summary import ColdItems, summarise


def evaluate_models(
    parameters: EvaluationParameters,
    *,
    test_interactions: pd.DataFrame,
    train_interactions: pd.DataFrame,
    validation_interactions: pd.DataFrame,
    item_groups: pd.DataFrame,
    user_groups: pd.DataFrame,
    language_vectors: dict[str, np.ndarray],
    interactions: ir.Table | None = None,
    **results: pd.DataFrame | list[dict[str, Any]],
) -> tuple[pd.DataFrame, pd.DataFrame, list[Row], list[Row]]:
    """Score the recommendations of every model and compare them in pairs.

    Args:
        parameters: what is measured and how.
        test_interactions: user_id, item_id; the relevant items of each user.
        train_interactions: user_id, item_id.
        validation_interactions: user_id, item_id.
        item_groups: item_id, interaction_count, item_group.
        user_groups: user_id, user_group.
        language_vectors: ``vectors``, float (n_items, d), of the item texts in catalogue order.
        interactions: user_id, item_id, event_type, weight; needed for ``relevant_events``.
        **results: user_id, item_id, rank per model name; a model that the data did not allow has no
            rows and is left out. The trials of its tuning, where there are any, per model name with
            the suffix ``_trials``.

    Returns:
        per_user_metrics, per_item_metrics, leaderboard, comparisons.

    Raises:
        UserError: the baseline has no recommendations.
    """
    tables = {
        name: table
        for name, table in results.items()
        if isinstance(table, pd.DataFrame) and len(table)
    }
    trials = {
        name.removesuffix("_trials"): len(tried)
        for name, tried in results.items()
        if isinstance(tried, list)
    }
    if parameters.baseline not in tables:
        raise UserError(
            f"Parameter evaluation.baseline: the model {parameters.baseline!r} has no"
            f" recommendations; choose one of {', '.join(sorted(tables))}."
        )
    truth = ground_truth(
        relevant_of(test_interactions, interactions, parameters),
        train_interactions,
        validation_interactions,
        item_groups,
        user_groups,
    )
    scores = {
        model: score_model(table, truth, parameters.ks, language_vectors["vectors"])
        for model, table in tables.items()
    }
    leaderboard, comparisons = (
        drop_small_groups(rows, parameters.min_group_size)
        for rows in compare_models(
            scores, truth, parameters.baseline, parameters.resampling, trials
        )
    )
    return per_user_table(scores, truth), per_item_table(scores), leaderboard, comparisons


def relevant_of(
    test_interactions: pd.DataFrame,
    interactions: ir.Table | None,
    parameters: EvaluationParameters,
) -> pd.DataFrame:
    """Return the test interactions that count as relevant.

    Raises:
        UserError: if none does.
    """
    if parameters.relevant_events is None:
        return test_interactions
    assert interactions is not None
    return relevant_interactions(test_interactions, interactions, parameters.relevant_events)


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


def plot_lift(
    leaderboard: list[Row], comparisons: list[Row], parameters: EvaluationParameters
) -> go.Figure:
    """Draw recall relative to the baseline by item group and user group."""
    return figures.lift_plot(
        leaderboard,
        _against_baseline(comparisons, parameters),
        parameters.primary_k,
        parameters.confidence,
        _shown_models(leaderboard, parameters),
    )


def plot_metric_by_k(leaderboard: list[Row], parameters: EvaluationParameters) -> go.Figure:
    """Draw NDCG, recall and tail recall by list length."""
    models = _shown_models(leaderboard, parameters)
    return figures.metric_by_k_plot(leaderboard, parameters.primary_k, models)


def plot_recall_by_popularity(
    per_item_metrics: pd.DataFrame, leaderboard: list[Row], parameters: EvaluationParameters
) -> go.Figure:
    """Draw recall by popularity decile of the relevant item."""
    models = _shown_models(leaderboard, parameters)
    return figures.recall_by_popularity_plot(per_item_metrics, parameters.primary_k, models)


def plot_exposure(
    per_item_metrics: pd.DataFrame, leaderboard: list[Row], parameters: EvaluationParameters
) -> go.Figure:
    """Draw the Lorenz curve of the exposure of each model."""
    models = _shown_models(leaderboard, parameters)
    return figures.exposure_plot(per_item_metrics, parameters.primary_k, models)


def list_popularity_deciles(per_item_metrics: pd.DataFrame) -> list[Row]:
    """Return recall and exposure of every model by popularity decile of the items."""
    table = popularity_deciles(per_item_metrics)
    rows = table.astype(object).where(table.notna(), None)
    return [{str(name): value for name, value in row.items()} for row in rows.to_dict("records")]


def write_report(
    parameters: EvaluationParameters,
    leaderboard: list[Row],
    comparisons: list[Row],
    headlines: list[Row],
    cleaning_report: dict[str, Any],
    data_profile: dict[str, Any],
    split: dict[str, Any],
    gate: dict[str, Any],
    *,
    items: pd.DataFrame,
    item_understanding: pd.DataFrame,
    item_groups: pd.DataFrame,
    user_groups: pd.DataFrame,
    train_interactions: pd.DataFrame,
    validation_interactions: pd.DataFrame,
    test_interactions: pd.DataFrame,
    interactions: ir.Table,
    recommendations_baseline: pd.DataFrame,
    recommendations_hybrid: pd.DataFrame,
    reasons: pd.DataFrame,
    **plots: go.Figure,
) -> str:
    """Render summary, tables, figures, lists of single users and statistics as one HTML page.

    Lists of single users are left out where ``min_group_size`` protects individual users.
    """
    k, confidence = parameters.primary_k, parameters.confidence
    recommendations = {
        "hybrid": recommendations_hybrid,
        parameters.baseline: recommendations_baseline,
    }
    test_interactions = relevant_of(test_interactions, interactions, parameters)
    evaluated = test_interactions["user_id"]
    withheld = parameters.min_group_size > 1
    n_examples = 0 if withheld else parameters.example_users
    n_searchable = 0 if withheld else parameters.searchable_users
    users = examples.draw_users(user_groups, evaluated, n_examples, parameters.seed)
    searchable = examples.draw_searchable(evaluated, users, n_searchable, parameters.seed)
    shown = partial(
        examples.example_lists,
        history=pd.concat([train_interactions, validation_interactions]),
        test_interactions=test_interactions,
        recommendations={model: table for model, table in recommendations.items() if len(table)},
        items=items,
        understanding=item_understanding,
        item_groups=item_groups,
        length=min(10, k),
        reasons=reasons,
    )
    cold = item_groups.loc[item_groups["item_group"] == "cold", "item_id"]
    summary = summarise(
        data_profile,
        split,
        headlines,
        ColdItems(len(cold), int(cold.isin(test_interactions["item_id"]).sum())),
        max((int(r["n_users"] or 0) for r in leaderboard if r["user_group"] == "all"), default=0),
        k,
        confidence,
        RUN_VERSION,
    )
    return evaluation_page(
        summary,
        leaderboard,
        _against_baseline(comparisons, parameters),
        [*filter(None, [parameters.relevance]), *in_words(headlines, k, confidence)],
        plots,
        gate,
        Lists(
            shown(users),
            shown(searchable, latest=examples.SEARCHED_HISTORY),
            evaluated.nunique(),
            withheld,
        ),
        warnings_of(cleaning_report),
        cleaning_report["understood"],
        k,
        parameters.baseline,
        confidence,
    )


def name_strongest_rivals(comparisons: list[Row], parameters: EvaluationParameters) -> list[Row]:
    """Set the hybrid beside the baseline, the best model without text and the best with text."""
    reads_text = [name for name, model in MODELS.items() if model.reads]
    return headlines_of(comparisons, parameters.primary_k, parameters.baseline, reads_text)


def show_leaderboard(
    leaderboard: list[Row], headlines: list[Row], parameters: EvaluationParameters
) -> None:
    """Print the leaderboard and the headlines to the terminal."""
    terminal.print_leaderboard(
        leaderboard, headlines, parameters.primary_k, parameters.baseline, parameters.relevance
    )


def _against_baseline(comparisons: list[Row], parameters: EvaluationParameters) -> list[Row]:
    return [row for row in comparisons if row["baseline"] == parameters.baseline]


def _shown_models(leaderboard: list[Row], parameters: EvaluationParameters) -> list[str]:
    return figures.headline_models(leaderboard, parameters.primary_k, parameters.baseline)
