"""Wiring of the language models and of the hybrid."""

from kedro.pipeline import Node, Pipeline

from longtail.models import LANGUAGE, MODELS
from longtail.pipelines.hybrid_scoring.nodes import (
    explain_recommendations,
    fit_hybrid_gate,
    plot_gate,
    plot_tail_emphasis,
    recommend_with_hybrid,
)
from longtail.pipelines.recommenders import (
    create_recommender_pipeline,
    tables_read_by,
)


def create_pipeline() -> Pipeline:
    """Fit the models that read text, learn the gate, recommend with the hybrid."""
    parameters = {"hybrid": "params:hybrid", "tuning": "params:tuning"}
    # Stars are read when a model is fitted, and the whole log is large.
    tables = tables_read_by(*MODELS.values(), without=("ratings",))
    hybrid = Pipeline(
        [
            Node(
                fit_hybrid_gate,
                inputs=parameters | tables | _fitted("validation_model"),
                outputs="hybrid_gate",
                name="fit_hybrid_gate",
            ),
            Node(
                recommend_with_hybrid,
                inputs=parameters
                | {
                    "gate": "hybrid_gate",
                    "test": "test_interactions@pandas",
                    "length": "params:recommendation_length",
                }
                | tables
                | _fitted("model"),
                outputs="recommendations_hybrid",
                name="recommend_hybrid",
            ),
            Node(
                explain_recommendations,
                inputs={
                    "hybrid": "params:hybrid",
                    "recommendations": "recommendations_hybrid",
                    "items": "items@pandas",
                    "item_texts": "item_texts",
                    "item_understanding": "item_understanding",
                    "cooccurrence": "item_knn_model",
                }
                | tables,
                outputs="reasons",
                name="explain_recommendations",
            ),
            Node(plot_gate, inputs="hybrid_gate", outputs="gate_plot", name="plot_gate"),
            Node(
                plot_tail_emphasis,
                inputs="hybrid_gate",
                outputs="tail_emphasis_plot",
                name="plot_tail_emphasis",
            ),
        ]
    )
    return create_recommender_pipeline(LANGUAGE) + hybrid


def _fitted(arrays: str) -> dict[str, str]:
    """Return the inputs that hold the hyper-parameters and fitted arrays of every source."""
    hyperparameters = {f"{name}_hyperparameters": f"{name}_hyperparameters" for name in MODELS}
    return hyperparameters | {f"{name}_arrays": f"{name}_{arrays}" for name in MODELS}
