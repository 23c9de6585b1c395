"""Wiring of the behaviour cleaning."""

from kedro.pipeline import Node, Pipeline

from longtail.pipelines.behaviour_cleaning.nodes import (
    clean_behaviour,
    group_items_and_users,
    index_histories,
    plot_profile,
    profile_behaviour,
    split_interactions,
)
from longtail.reporting.figures.profile import PLOTS

PARAMETERS = "params:behaviour_cleaning"
REPEAT = "params:repeat"
SPLIT_TABLES = [f"{split}_interactions@ibis" for split in ("train", "validation", "test")]
FOLD_IN_TABLE = "fold_in_interactions@ibis"


def create_pipeline() -> Pipeline:
    """Clean the two raw files, split the interactions, group, index and profile them."""
    return Pipeline(
        [
            Node(
                clean_behaviour,
                inputs=["raw_interactions", "raw_items", PARAMETERS],
                outputs=[
                    "interactions@ibis",
                    "rejected_interactions",
                    "items@ibis",
                    "rejected_items",
                    "user_item_pairs",
                    "disliked_pairs",
                    "split_protocol",
                    "cleaning_report",
                ],
                name="clean_behaviour",
            ),
            Node(
                split_interactions,
                inputs=[
                    "user_item_pairs",
                    "disliked_pairs",
                    "interactions@ibis",
                    "split_protocol",
                    PARAMETERS,
                    REPEAT,
                ],
                outputs=[*SPLIT_TABLES, FOLD_IN_TABLE, "dislikes@ibis", "split"],
                name="split_interactions",
            ),
            Node(
                group_items_and_users,
                inputs=["items@ibis", *SPLIT_TABLES, "dislikes@ibis"],
                outputs=["item_groups", "user_groups"],
                name="group_items_and_users",
            ),
            Node(
                index_histories,
                inputs=[
                    "train_interactions@pandas",
                    "validation_interactions@pandas",
                    "dislikes@pandas",
                    "item_groups",
                    "user_groups",
                    "split_protocol",
                    PARAMETERS,
                    REPEAT,
                ],
                outputs=["training_histories", "validation_histories", "past_histories"],
                name="index_histories",
            ),
            Node(
                profile_behaviour,
                inputs=[
                    "items@ibis",
                    *SPLIT_TABLES,
                    FOLD_IN_TABLE,
                    "cleaning_report",
                    PARAMETERS,
                    "params:data_set",
                ],
                outputs="data_profile",
                name="profile_behaviour",
            ),
            Node(plot_profile, inputs="data_profile", outputs=list(PLOTS), name="plot_profile"),
        ],
        namespace="behaviour_cleaning",
        prefix_datasets_with_namespace=False,
    )
