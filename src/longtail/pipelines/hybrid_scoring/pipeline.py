"""Wiring of the hybrid."""

from __future__ import annotations

from collections.abc import Sequence

from kedro.pipeline import Node, Pipeline

from longtail.pipelines.hybrid_scoring.nodes import (
    explain_recommendations,
    fit_hybrid_gate,
    plot_gate,
    plot_tail_emphasis,
    recommend_with_hybrid,
)
from longtail.pipelines.selection import ModelSelection


def create_pipeline(models: ModelSelection) -> Pipeline:
    """Learn the gate, recommend with the hybrid, explain its recommendations.

    Args:
        models: the fitted models, and which of them are sources and baseline.
    """
    together = {"item_knn": "item_knn_model"} if "item_knn" in models.fitted else {}
    return Pipeline(
        [
            gate_node(models.sources, models.baseline),
            lists_node(models.sources),
            Node(
                explain_recommendations,
                inputs={
                    "hybrid": "params:hybrid",
                    "recommendations": "recommendations_hybrid",
                    "past": "past_histories",
                    "items": "items@pandas",
                    "item_understanding": "item_understanding",
                    "item_features": "item_features",
                    **together,
                },
                outputs="reasons",
                name="explain_recommendations",
            ),
            Node(plot_gate, inputs="hybrid_gate", outputs="gate_plot", name="plot_gate"),
            Node(
                plot_tail_emphasis,
                inputs=["hybrid_gate", "params:tuning"],
                outputs="tail_emphasis_plot",
                name="plot_tail_emphasis",
            ),
        ],
        namespace="hybrid_scoring",
        prefix_datasets_with_namespace=False,
    )


def gate_node(sources: Sequence[str], baseline: str, with_text: bool = True) -> Node:
    """Return the node that learns the gate over sources fitted on the training period."""
    return Node(
        fit_hybrid_gate,
        inputs={
            "hybrid": "params:hybrid",
            "tuning": "params:tuning",
            "training": "training_histories",
            "held_out": "validation_histories",
            "baseline": f"{baseline}_validation_model",
            **_item_features(with_text),
            **{name: f"{name}_validation_model" for name in sources},
        },
        outputs="hybrid_gate",
        name="fit_hybrid_gate",
    )


def lists_node(sources: Sequence[str], with_text: bool = True) -> Node:
    """Return the node that recommends with the refitted sources."""
    return Node(
        recommend_with_hybrid,
        inputs={
            "hybrid": "params:hybrid",
            "tuning": "params:tuning",
            "gate": "hybrid_gate",
            "past": "past_histories",
            "test": "test_interactions@pandas",
            "length": "params:recommendation_length",
            **_item_features(with_text),
            **{name: f"{name}_model" for name in sources},
        },
        outputs="recommendations_hybrid",
        name="recommend_hybrid",
    )


def _item_features(with_text: bool) -> dict[str, str]:
    return {"item_features": "item_features"} if with_text else {}
