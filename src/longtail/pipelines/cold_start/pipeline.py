"""Wiring of the cold-start study."""

from kedro.pipeline import Node, Pipeline

from longtail.pipelines.cold_start import nodes
from longtail.pipelines.evaluation.pipeline import TABLES
from longtail.pipelines.recommenders import tables_read_by


def create_pipeline() -> Pipeline:
    """Recommend new items alone and compare with lists of warm and of all items.

    Reads what ``kedro run`` saved and is not part of it: ``kedro run --pipelines=cold_start``.
    """
    names = nodes.SOURCES
    fitted = {f"{name}_hyperparameters": f"{name}_hyperparameters" for name in names}
    fitted |= {f"{name}_arrays": f"{name}_model" for name in names}
    return Pipeline(
        [
            Node(
                nodes.recommend_cold_items,
                inputs={
                    "hybrid": "params:hybrid",
                    "tuning": "params:tuning",
                    "gate": "hybrid_gate",
                    "test": "test_interactions@pandas",
                    "length": "params:recommendation_length",
                }
                | tables_read_by(*names.values(), without=("ratings",))
                | fitted,
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
                nodes.show_candidate_pools,
                inputs=["candidate_pools", "params:evaluation"],
                outputs=None,
                name="show_candidate_pools",
            ),
        ]
    )
