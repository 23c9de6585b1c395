"""Wiring of the deployment."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from longtail.pipelines.deploy import nodes
from longtail.pipelines.recommenders.nodes import refit_recommender
from longtail.pipelines.recommenders.pipeline import item_features_of
from longtail.pipelines.selection import ModelSelection

ITEM_KNN = "item_knn"


def create_pipeline(models: ModelSelection) -> Pipeline:
    """Refit the evaluated hybrid on the whole log, and write the lists of all users.

    Reads what ``kedro run`` saved and is not part of it: ``kedro run --pipelines=deploy``.

    Args:
        models: the fitted models, and which of them are sources.
    """
    together = {ITEM_KNN} & set(models.fitted)
    refitted = [name for name in models.fitted if name in {*models.sources, *together}]
    reasons = {"item_knn_graph": f"deployed_{ITEM_KNN}_model"} if together else {}
    return Pipeline(
        [
            Node(
                nodes.index_whole_log,
                inputs={
                    "past": "past_histories",
                    "test": "test_interactions@pandas",
                    "fold_in": "fold_in_interactions@pandas",
                    "dislikes": "dislikes@pandas",
                    "cleaning": "params:behaviour_cleaning",
                },
                outputs="deployed_histories",
                name="index_whole_log",
            ),
            *(
                Node(
                    refit_recommender,
                    inputs={
                        "tuned": f"{name}_model",
                        "tuning": "params:tuning",
                        "past": "deployed_histories",
                        "checkpoints": "checkpoints",
                        **item_features_of(name),
                    },
                    outputs=f"deployed_{name}_model",
                    name=f"refit_{name}",
                )
                for name in refitted
            ),
            Node(
                nodes.assemble_hybrid,
                inputs={
                    "hybrid": "params:hybrid",
                    "gate": "hybrid_gate",
                    "log": "deployed_histories",
                    "item_features": "item_features",
                    "items": "items@pandas",
                    "item_understanding": "item_understanding",
                    "language_vectors": "language_vectors",
                    "adapted_vectors": "adapted_vectors",
                    "vector_choice": "vector_choice",
                    **reasons,
                    **{name: f"deployed_{name}_model" for name in models.sources},
                },
                outputs="deployed_hybrid",
                name="assemble_hybrid",
            ),
            Node(
                nodes.list_for_all,
                inputs=["deployed_hybrid", "params:deployment"],
                outputs="deployed_lists",
                name="list_for_all",
            ),
            Node(
                nodes.describe_model,
                inputs={
                    "log": "deployed_histories",
                    "split": "split",
                    "leaderboard": "leaderboard",
                    "comparisons": "comparisons",
                    "evaluation": "params:evaluation",
                },
                outputs="deployed_model_card",
                name="describe_model",
            ),
        ],
        namespace="deploy",
        prefix_datasets_with_namespace=False,
    )
