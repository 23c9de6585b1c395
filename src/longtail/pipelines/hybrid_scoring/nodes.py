"""Nodes of the hybrid: learn the gate on validation, recommend with the refitted sources."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from longtail.arrays import Arrays
from longtail.models import MODELS
from longtail.models.base import TrainingData
from longtail.models.candidates import FittedModel
from longtail.models.hybrid import Hybrid, HybridParameters, fit_hybrid, recommend_hybrid
from longtail.models.neighbours import graph_of
from longtail.models.reasons import explain
from longtail.models.tuning import TuningParameters
from longtail.pipelines.recommenders import (
    fitted_models,
    indices_of_users,
    separate_models,
    targets_of,
    training_data,
)
from longtail.reporting.hybrid_figures import gate_plot, tail_emphasis_plot
from longtail.text.keywords import KeywordTable

SourcesOf = Callable[
    [HybridParameters, TrainingData, dict[str, Any], Collection[str]], dict[str, FittedModel]
]


def fit_hybrid_gate(
    hybrid: HybridParameters, tuning: TuningParameters, **inputs: Any
) -> dict[str, Any]:
    """Learn what each source of evidence is worth, and choose the tail knob, on validation."""
    return gate_of_sources(hybrid, tuning, inputs, _as_fitted)


def recommend_with_hybrid(
    hybrid: HybridParameters,
    tuning: TuningParameters,
    gate: dict[str, Any],
    test: pd.DataFrame,
    length: int,
    **inputs: Any,
) -> pd.DataFrame:
    """Return the ranked lists of all users of the test period, with the share of each source."""
    return lists_of_sources(hybrid, tuning, gate, test, length, inputs, _as_fitted)


def gate_of_sources(
    hybrid: HybridParameters,
    tuning: TuningParameters,
    inputs: dict[str, Any],
    sources_of: SourcesOf,
) -> dict[str, Any]:
    """Return the gate over sources of the training period.

    Args:
        hybrid: parameters of the hybrid.
        tuning: seed and validation users.
        inputs: the tables of the split and the parts of fitted models.
        sources_of: makes the sources from parameters, data, parts and names of the tables.
    """
    tables, parts = separate_models(inputs)
    data = training_data(**tables, seed=tuning.seed, with_validation=False)
    sources = sources_of(hybrid, data, parts, tables)
    baseline = fitted_models(MODELS, ("als",), parts)["als"]
    targets = targets_of(data.histories, tables, tuning)
    return fit_hybrid(sources, data, targets, baseline, hybrid).to_json()


def lists_of_sources(
    hybrid: HybridParameters,
    tuning: TuningParameters,
    gate: dict[str, Any],
    test: pd.DataFrame,
    length: int,
    inputs: dict[str, Any],
    sources_of: SourcesOf,
) -> pd.DataFrame:
    """Return the lists that a gate makes of sources of the training and validation periods."""
    tables, parts = separate_models(inputs)
    data = training_data(**tables, seed=tuning.seed, with_validation=True)
    sources = sources_of(hybrid, data, parts, tables)
    users = indices_of_users(test, data.histories)
    return recommend_hybrid(Hybrid.from_json(gate), sources, data, users, length, hybrid)


def _as_fitted(
    hybrid: HybridParameters,
    data: TrainingData,  # noqa: ARG001 the models are fitted
    parts: dict[str, Any],
    given: Collection[str],  # noqa: ARG001
) -> dict[str, FittedModel]:
    return fitted_models(MODELS, hybrid.sources, parts)


def explain_recommendations(
    hybrid: HybridParameters,
    recommendations: pd.DataFrame,
    items: pd.DataFrame,
    item_texts: pd.DataFrame,
    item_understanding: pd.DataFrame,
    cooccurrence: Arrays,
    **tables: Any,
) -> pd.DataFrame:
    """Give the first items of every list a reason: own items, keywords and one sentence.

    Where ``item_knn`` was not fitted, no own item speaks for another by behaviour.
    """
    data = training_data(**tables, seed=0, with_validation=True)
    return explain(
        recommendations[recommendations["rank"] <= hybrid.explained],
        data.histories,
        titles=items["title"],
        keywords=KeywordTable.of(item_texts["text"], item_understanding["keywords"]),
        behaviour_graph=graph_of(cooccurrence, data.histories.n_items),
        text_graph=data.text_neighbours,
        descriptions={name: MODELS[name].evidence for name in hybrid.sources},
    )


def plot_gate(gate: dict[str, Any]) -> go.Figure:
    """Draw what the gate weighs."""
    return gate_plot(gate)


def plot_tail_emphasis(gate: dict[str, Any]) -> go.Figure:
    """Draw what the tail knob gains and costs on validation."""
    return tail_emphasis_plot(gate)
