"""Wiring of the single models."""

from __future__ import annotations

from collections.abc import Iterable

from kedro.pipeline import Node, Pipeline

from longtail.pipelines.recommenders.nodes import (
    recommend_items,
    refit_recommender,
    tuning_step,
)
from longtail.recommenders.registry import MODELS


def create_pipeline(models: Iterable[str]) -> Pipeline:
    """Tune, refit and recommend with each of the models.

    Args:
        models: names of the models that are wanted.
    """
    return sum(
        (model_pipeline(name, namespace=f"recommenders.{name}") for name in models),
        start=Pipeline([]),
    )


def model_pipeline(name: str, namespace: str) -> Pipeline:
    """Return the three steps of one model.

    Args:
        name: of the model.
        namespace: of its nodes, which Kedro-Viz shows as one box.
    """
    recommend = Node(
        recommend_items,
        inputs={
            "model": f"{name}_model",
            "tuning": "params:tuning",
            "past": "past_histories",
            "test": "test_interactions@pandas",
            "length": "params:recommendation_length",
            **item_features_of(name),
        },
        outputs=f"recommendations_{name}",
        name="recommend",
    )
    return Pipeline(
        [*fitting_nodes(name), recommend],
        namespace=namespace,
        prefix_datasets_with_namespace=False,
    )


def fitting_nodes(name: str) -> list[Node]:
    """Return the nodes that tune one model on validation and refit it."""
    return [
        Node(
            tuning_step(name, MODELS[name]),
            inputs={
                "settings": "params:recommenders.settings",
                "tuning": "params:tuning",
                "training": "training_histories",
                "held_out": "validation_histories",
                "checkpoints": "checkpoints",
                **item_features_of(name),
            },
            outputs=[f"{name}_hyperparameters", f"{name}_trials", f"{name}_validation_model"],
            name="tune",
        ),
        Node(
            refit_recommender,
            inputs={
                "tuned": f"{name}_validation_model",
                "tuning": "params:tuning",
                "past": "past_histories",
                "checkpoints": "checkpoints",
                **item_features_of(name),
            },
            outputs=f"{name}_model",
            name="refit",
        ),
    ]


def item_features_of(name: str) -> dict[str, str]:
    """Return the input of models that read item features."""
    return {"item_features": "item_features"} if MODELS[name].reads else {}
