"""Wiring of the evaluation."""

from kedro.pipeline import Node, Pipeline

from longtail.models import RECOMMENDERS
from longtail.pipelines.evaluation import nodes

_TABLES = {
    "test_interactions": "test_interactions@pandas",
    "train_interactions": "train_interactions@pandas",
    "validation_interactions": "validation_interactions@pandas",
    "item_groups": "item_groups",
    "user_groups": "user_groups",
    "item_vectors": "item_vectors",
}


def create_pipeline() -> Pipeline:
    """Score saved recommendations, compare the models, draw the figures, print the table.

    Nodes of one depth run in the order of their names, so the printed table comes last.
    """
    recommendations = {model: f"recommendations_{model}" for model in RECOMMENDERS}
    return Pipeline(
        [
            Node(
                nodes.evaluate_models,
                inputs={"parameters": "params:evaluation"} | _TABLES | recommendations,
                outputs=["per_user_metrics", "per_item_metrics", "leaderboard", "comparisons"],
                name="evaluate_models",
            ),
            Node(
                nodes.plot_leaderboard,
                inputs=["leaderboard", "params:evaluation"],
                outputs="leaderboard_plot",
                name="plot_leaderboard",
            ),
            Node(
                nodes.plot_tail_against_overall,
                inputs=["leaderboard", "params:evaluation"],
                outputs="tail_against_overall_plot",
                name="plot_tail_against_overall",
            ),
            Node(
                nodes.plot_recall_by_popularity,
                inputs=["per_item_metrics", "params:evaluation"],
                outputs="recall_by_popularity_plot",
                name="plot_recall_by_popularity",
            ),
            Node(
                nodes.plot_exposure,
                inputs=["per_item_metrics", "params:evaluation"],
                outputs="exposure_plot",
                name="plot_exposure",
            ),
            Node(
                nodes.show_leaderboard,
                inputs=["leaderboard", "comparisons", "params:evaluation"],
                outputs=None,
                name="show_leaderboard",
            ),
        ]
    )
