"""Wiring of the evaluation."""

from kedro.pipeline import Node, Pipeline

from longtail.pipelines.evaluation import nodes
from longtail.pipelines.selection import ModelSelection
from longtail.reporting.figures.profile import PLOTS as PLOTS_OF_PROFILE

# What the lists are judged by.
TRUTH = {
    "test_interactions": "test_interactions@pandas",
    "train_interactions": "train_interactions@pandas",
    "validation_interactions": "validation_interactions@pandas",
    "item_groups": "item_groups",
    "user_groups": "user_groups",
    # Lazy: it is read only where evaluation.relevant_events asks for it.
    "interactions": "interactions@ibis",
}
TABLES = TRUTH | {"language_vectors": "language_vectors"}

PLOTS = (
    "leaderboard_plot",
    "metric_by_k_plot",
    "lift_plot",
    "tail_against_overall_plot",
    "recall_by_popularity_plot",
    "exposure_plot",
)

# Figures of the hybrid and of the data that the report shows as well.
PLOTS_OF_EARLIER_STAGES = ("tail_emphasis_plot", "gate_plot", *PLOTS_OF_PROFILE)


def create_pipeline(models: ModelSelection) -> Pipeline:
    """Score saved recommendations, compare the models, draw the figures, write the report.

    Args:
        models: the fitted models, which are compared with the baseline, as the hybrid is.
    """
    recommendations = {model: f"recommendations_{model}" for model in (*models.fitted, "hybrid")}
    trials = {name: name for name in (f"{model}_trials" for model in models.fitted)}
    return Pipeline(
        [
            Node(
                nodes.evaluate_models,
                inputs={"parameters": "params:evaluation"} | TABLES | recommendations | trials,
                outputs=["per_user_metrics", "per_item_metrics", "leaderboard", "comparisons"],
                name="evaluate_models",
            ),
            Node(
                nodes.name_strongest_rivals,
                inputs=["comparisons", "params:evaluation"],
                outputs="headlines",
                name="name_strongest_rivals",
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
                nodes.plot_lift,
                inputs=["leaderboard", "comparisons", "params:evaluation"],
                outputs="lift_plot",
                name="plot_lift",
            ),
            Node(
                nodes.plot_metric_by_k,
                inputs=["leaderboard", "params:evaluation"],
                outputs="metric_by_k_plot",
                name="plot_metric_by_k",
            ),
            Node(
                nodes.list_popularity_deciles,
                inputs="per_item_metrics",
                outputs="popularity_deciles",
                name="list_popularity_deciles",
            ),
            Node(
                nodes.plot_recall_by_popularity,
                inputs=["per_item_metrics", "leaderboard", "params:evaluation"],
                outputs="recall_by_popularity_plot",
                name="plot_recall_by_popularity",
            ),
            Node(
                nodes.plot_exposure,
                inputs=["per_item_metrics", "leaderboard", "params:evaluation"],
                outputs="exposure_plot",
                name="plot_exposure",
            ),
            Node(
                nodes.write_report,
                inputs={
                    "parameters": "params:evaluation",
                    "leaderboard": "leaderboard",
                    "comparisons": "comparisons",
                    "headlines": "headlines",
                    "cleaning_report": "cleaning_report",
                    "data_profile": "data_profile",
                    "split": "split",
                    "gate": "hybrid_gate",
                    "items": "items@pandas",
                    "item_understanding": "item_understanding",
                    **TRUTH,
                    "recommendations_baseline": f"recommendations_{models.baseline}",
                    "recommendations_hybrid": "recommendations_hybrid",
                    "reasons": "reasons",
                    **{name: name for name in (*PLOTS, *PLOTS_OF_EARLIER_STAGES)},
                },
                outputs="evaluation_report",
                name="write_report",
            ),
            Node(
                nodes.show_leaderboard,
                inputs=["leaderboard", "headlines", "params:evaluation"],
                outputs=None,
                name="show_leaderboard",
            ),
        ],
        namespace="evaluation",
        prefix_datasets_with_namespace=False,
    )
