"""Wiring of the behaviour cleaning."""

from kedro.pipeline import Node, Pipeline

from longtail.pipelines.behaviour_cleaning.nodes import (
    clean_behaviour,
    group_items_and_users,
    split_interactions,
)

PARAMETERS = ["params:behaviour_cleaning", "params:signal_presets"]
SPLIT_TABLES = [f"{split}_interactions@ibis" for split in ("train", "validation", "test")]


def create_pipeline() -> Pipeline:
    """Clean the two raw tables, split the interactions in time, group items and users."""
    return Pipeline(
        [
            Node(
                clean_behaviour,
                inputs=["raw_interactions", "raw_items", *PARAMETERS],
                outputs=[
                    "interactions@ibis",
                    "rejected_interactions",
                    "items@ibis",
                    "rejected_items",
                    "cleaning_report",
                ],
                name="clean_behaviour",
            ),
            Node(
                split_interactions,
                inputs=["interactions@ibis", *PARAMETERS],
                outputs=[*SPLIT_TABLES, "split"],
                name="split_interactions",
            ),
            Node(
                group_items_and_users,
                inputs=["items@ibis", *SPLIT_TABLES],
                outputs=["item_groups", "user_groups"],
                name="group_items_and_users",
            ),
        ]
    )
