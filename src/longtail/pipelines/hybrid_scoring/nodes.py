"""Nodes of the hybrid: learn the gate on validation, recommend with the refitted sources."""

from __future__ import annotations

from typing import Any

import pandas as pd
import plotly.graph_objects as go

from longtail.behaviour.histories import Histories
from longtail.errors import UserError
from longtail.hybrid.fitting import fit_hybrid
from longtail.hybrid.model import Hybrid
from longtail.hybrid.parameters import HybridParameters
from longtail.hybrid.ranking import COMMON_EVIDENCE, recommend_hybrid
from longtail.hybrid.reasons import explain
from longtail.pipelines.recommenders.nodes import indices_of_users
from longtail.recommenders.base import TrainingData
from longtail.recommenders.collaborative.item_knn import graph_of
from longtail.recommenders.fitted_model import FittedModel, applicable
from longtail.recommenders.item_features import ItemFeatures
from longtail.recommenders.registry import MODELS
from longtail.recommenders.validation import validation_targets
from longtail.reporting.figures.hybrid import gate_plot, tail_emphasis_plot
from longtail.text.keywords import KeywordTable
from longtail.tuning.search import TuningParameters


def fit_hybrid_gate(
    hybrid: HybridParameters,
    tuning: TuningParameters,
    training: Histories,
    held_out: Histories,
    baseline: FittedModel,
    item_features: ItemFeatures | None = None,
    **sources: FittedModel,
) -> dict[str, Any]:
    """Learn the weight of each source and choose the tail emphasis, on validation."""
    if baseline.not_applicable:
        raise UserError(f"The baseline {baseline.name} was not fitted. {baseline.not_applicable}")
    data = TrainingData(training, item_features or ItemFeatures(), tuning.seed)
    targets = validation_targets(training, held_out.matrix(), tuning.max_users, tuning.seed)
    usable = applicable(sources, [name for name in hybrid.sources if name in sources])
    return fit_hybrid(usable, data, targets, baseline, hybrid, tuning.k).to_json()


def recommend_with_hybrid(
    hybrid: HybridParameters,
    tuning: TuningParameters,
    gate: dict[str, Any],
    past: Histories,
    test: pd.DataFrame,
    length: int,
    item_features: ItemFeatures | None = None,
    **sources: FittedModel,
) -> pd.DataFrame:
    """Return the ranked lists of all users of the test period, with the share of each source."""
    data = TrainingData(past, item_features or ItemFeatures(), tuning.seed)
    usable = applicable(sources, [name for name in hybrid.sources if name in sources])
    users = indices_of_users(test, past)
    return recommend_hybrid(Hybrid.from_json(gate), usable, data, users, length, hybrid)


def explain_recommendations(
    hybrid: HybridParameters,
    recommendations: pd.DataFrame,
    past: Histories,
    items: pd.DataFrame,
    item_understanding: pd.DataFrame,
    item_features: ItemFeatures,
    item_knn: FittedModel | None = None,
) -> pd.DataFrame:
    """Give the first items of every list a reason: the user's own items, keywords, one sentence.

    Where ``item_knn`` is not fitted, reasons name no items that are often chosen together.
    """
    texts = pd.Series(item_features.texts)
    return explain(
        recommendations[recommendations["rank"] <= hybrid.explained],
        past,
        titles=items["title"],
        keywords=KeywordTable.of(texts, item_understanding["keywords"]),
        behaviour_graph=graph_of(item_knn.arrays if item_knn else {}, past.n_items),
        text_graph=item_features.text_neighbours,
        descriptions={name: MODELS[name].evidence for name in hybrid.sources} | COMMON_EVIDENCE,
    )


def plot_gate(gate: dict[str, Any]) -> go.Figure:
    """Draw the weights of the gate."""
    return gate_plot(gate)


def plot_tail_emphasis(gate: dict[str, Any], tuning: TuningParameters) -> go.Figure:
    """Draw what each tail emphasis gains and costs on validation."""
    return tail_emphasis_plot(gate, tuning.k)
