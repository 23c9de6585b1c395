"""Wiring of the cold-start study."""

from kedro.pipeline import Node, Pipeline

from longtail.models import MODELS
from longtail.pipelines.cold_start import nodes
from longtail.pipelines.evaluation.pipeline import TABLES
from longtail.pipelines.recommenders import tables_read_by


def create_pipeline() -> Pipeline:
    """Study new items and new users with the models as they were fitted.

    Reads what ``kedro run`` saved and is not part of it: ``kedro run --pipelines=cold_start``.
    """
    models = {
        "hybrid": "params:hybrid",
        "tuning": "params:tuning",
        "gate": "hybrid_gate",
    }
    fitted = {f"{name}_hyperparameters": f"{name}_hyperparameters" for name in MODELS}
    fitted |= {f"{name}_arrays": f"{name}_model" for name in MODELS}
    read = tables_read_by(*MODELS.values(), without=("ratings",)) | fitted
    length = {"length": "params:recommendation_length"}
    return Pipeline(
        [
            Node(
                nodes.recommend_cold_items,
                inputs=models | {"test": "test_interactions@pandas"} | length | read,
                outputs="cold_recommendations",
                name="recommend_cold_items",
            ),
            Node(
                nodes.evaluate_candidate_pools,
                inputs={
                    "parameters": "params:evaluation",
                    "leaderboard": "leaderboard",
                    "cold_recommendations": "cold_recommendations",
                }
                | TABLES,
                outputs="candidate_pools",
                name="evaluate_candidate_pools",
            ),
            Node(
                nodes.recommend_folded_in,
                inputs=models
                | {"split": "split", "fold_in": "fold_in_interactions@pandas"}
                | length
                | read,
                outputs="folded_in_recommendations",
                name="recommend_folded_in",
            ),
            Node(
                nodes.evaluate_folded_in,
                inputs={
                    "parameters": "params:evaluation",
                    "folded_in_recommendations": "folded_in_recommendations",
                }
                | TABLES,
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
        ]
    )
