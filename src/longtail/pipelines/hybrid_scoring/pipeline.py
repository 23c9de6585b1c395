"""Wiring of the hybrid."""

from __future__ import annotations

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
            Node(
                fit_hybrid_gate,
                inputs={
                    "hybrid": "params:hybrid",
                    "tuning": "params:tuning",
                    "training": "training_histories",
                    "held_out": "validation_histories",
                    "baseline": f"{models.baseline}_validation_model",
                    "item_features": "item_features",
                    **{name: f"{name}_validation_model" for name in models.sources},
                },
                outputs="hybrid_gate",
                name="fit_hybrid_gate",
            ),
            Node(
                recommend_with_hybrid,
                inputs={
                    "hybrid": "params:hybrid",
                    "tuning": "params:tuning",
                    "gate": "hybrid_gate",
                    "past": "past_histories",
                    "test": "test_interactions@pandas",
                    "length": "params:recommendation_length",
                    "item_features": "item_features",
                    **{name: f"{name}_model" for name in models.sources},
                },
                outputs="recommendations_hybrid",
                name="recommend_hybrid",
            ),
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
