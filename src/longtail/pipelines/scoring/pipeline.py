"""Wiring of scoring a file."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from longtail.pipelines.scoring.nodes import score_users


def create_pipeline() -> Pipeline:
    """Write lists for the users of a file: ``kedro run --pipelines=scoring``."""
    return Pipeline(
        [
            Node(
                score_users,
                inputs={
                    "scoring_users": "scoring_users",
                    "deployed": "deployed_hybrid",
                    "parameters": "params:scoring",
                    "cleaning": "params:behaviour_cleaning",
                },
                outputs=["scored_lists", "scored_lists_csv", "scoring_report"],
                name="score_users",
            )
        ],
        namespace="scoring",
        prefix_datasets_with_namespace=False,
    )
