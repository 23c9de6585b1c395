"""Wiring of the cold-start study."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from longtail.pipelines.cold_start import nodes
from longtail.pipelines.evaluation.pipeline import TABLES
from longtail.pipelines.selection import ModelSelection


def create_pipeline(models: ModelSelection) -> Pipeline:
    """Study new items and new users with the models as they were fitted.

    Reads what ``kedro run`` saved and is not part of it: ``kedro run --pipelines=cold_start``.

    Args:
        models: the fitted models.
    """
    fitted = {
        "hybrid": "params:hybrid",
        "tuning": "params:tuning",
        "gate": "hybrid_gate",
        "past": "past_histories",
        "length": "params:recommendation_length",
        "item_features": "item_features",
        **{name: f"{name}_model" for name in models.fitted},
    }
    return Pipeline(
        [
            Node(
                nodes.recommend_cold_items,
                inputs={**fitted, "test": "test_interactions@pandas"},
                outputs="cold_recommendations",
                name="recommend_cold_items",
            ),
            Node(
                nodes.evaluate_candidate_pools,
                inputs={
                    "parameters": "params:evaluation",
                    **TABLES,
                    "leaderboard": "leaderboard",
                    "cold_recommendations": "cold_recommendations",
                },
                outputs="candidate_pools",
                name="evaluate_candidate_pools",
            ),
            Node(
                nodes.recommend_folded_in,
                inputs={
                    **fitted,
                    "split": "split",
                    "fold_in": "fold_in_interactions@pandas",
                },
                outputs="folded_in_recommendations",
                name="recommend_folded_in",
            ),
            Node(
                nodes.evaluate_folded_in,
                inputs={
                    "parameters": "params:evaluation",
                    **TABLES,
                    "folded_in_recommendations": "folded_in_recommendations",
                },
                outputs="folded_in",
                name="evaluate_folded_in",
            ),
            Node(
                nodes.plot_folded_in,
                inputs=["folded_in", "params:evaluation"],
                outputs="folded_in_plot",
                name="plot_folded_in",
            ),
            Node(
                nodes.show_cold_start,
                inputs=["candidate_pools", "folded_in", "params:evaluation"],
                outputs=None,
                name="show_cold_start",
            ),
        ],
        namespace="cold_start",
        prefix_datasets_with_namespace=False,
    )
