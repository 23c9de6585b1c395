"""Wiring of the controls."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from longtail.pipelines.controls import nodes
from longtail.pipelines.evaluation.pipeline import TABLES
from longtail.pipelines.item_encoding.nodes import adapt_to_behaviour
from longtail.pipelines.selection import ModelSelection

NO_TEXT = "no_text"
SECOND_ENCODER = "second_encoder"

# The vectors of each control; the control without text has none.
VECTORS = {
    "shuffled": "shuffled_vectors",
    "random": "random_vectors",
    "tfidf": "tfidf_vectors",
    "tfidf_adapted": "tfidf_adapted_vectors",
    "frozen": "language_vectors",
}


def create_pipeline(models: ModelSelection, second_encoding: bool) -> Pipeline:
    """Fit the hybrid without text and with each control's vectors, and compare them all.

    Reads what ``kedro run`` saved and is not part of it: ``kedro run --pipelines=controls``. The
    sources keep the hyper-parameters that were chosen with the language vectors; gate and tail
    emphasis are chosen anew.

    Args:
        models: the sources of the hybrid and the baseline.
        second_encoding: whether the items are encoded a second time, in another way.
    """
    vectors, pipeline = dict(VECTORS), _vectors()
    if second_encoding:
        vectors[SECOND_ENCODER] = "second_encoder_vectors"
        pipeline += _second_encoding()
    pipeline += _control(NO_TEXT, None, models)
    for name, dataset in vectors.items():
        pipeline += _control(name, dataset, models)
    pipeline += _comparison([NO_TEXT, *vectors], models)
    return Pipeline(pipeline, namespace="controls", prefix_datasets_with_namespace=False)


def _vectors() -> Pipeline:
    return Pipeline(
        [
            Node(
                nodes.shuffle_vectors,
                inputs=["item_features", "params:tuning"],
                outputs="shuffled_vectors",
                name="shuffle_vectors",
            ),
            Node(
                nodes.draw_random_vectors,
                inputs=["item_features", "params:tuning"],
                outputs="random_vectors",
                name="draw_random_vectors",
            ),
            Node(
                adapt_to_behaviour,
                inputs=[
                    "params:item_encoding",
                    "tfidf_vectors",
                    "word_pieces",
                    "item_texts",
                    "training_histories",
                ],
                outputs="tfidf_adapted_vectors",
                name="adapt_tfidf_vectors",
            ),
        ]
    )


def _second_encoding() -> Pipeline:
    return Pipeline(
        [
            Node(
                nodes.encode_with_second_encoder,
                inputs=[
                    "params:item_encoding",
                    "item_texts",
                    "item_understanding",
                    "cached_second_embeddings",
                    "train_interactions@pandas",
                ],
                outputs=[
                    "new_second_embeddings",
                    "second_encoder_vectors",
                    "second_encoding_speed",
                ],
                name="encode_with_second_encoder",
            ),
        ]
    )


def _control(name: str, vectors: str | None, models: ModelSelection) -> Pipeline:
    """Return the hybrid with the vectors of one control, or without text."""
    parameters = {"hybrid": "params:hybrid", "tuning": "params:tuning"}
    features, described = {}, Pipeline([])
    if vectors is not None:
        features = {"control_features": f"{name}_item_features"}
        described = Pipeline(
            [
                Node(
                    nodes.describe_items_by,
                    inputs=[vectors, "params:item_encoding"],
                    outputs=f"{name}_item_features",
                    name=f"describe_items_by_{name}",
                )
            ]
        )
    return described + Pipeline(
        [
            Node(
                nodes.fit_control_gate,
                inputs={
                    **parameters,
                    "training": "training_histories",
                    "held_out": "validation_histories",
                    "baseline": f"{models.baseline}_validation_model",
                    **features,
                    **{source: f"{source}_validation_model" for source in models.sources},
                },
                outputs=f"hybrid_{name}_gate",
                name=f"fit_hybrid_{name}_gate",
            ),
            Node(
                nodes.recommend_with_control,
                inputs={
                    **parameters,
                    "gate": f"hybrid_{name}_gate",
                    "past": "past_histories",
                    "test": "test_interactions@pandas",
                    "length": "params:recommendation_length",
                    **features,
                    **{source: f"{source}_model" for source in models.sources},
                },
                outputs=f"recommendations_hybrid_{name}",
                name=f"recommend_hybrid_{name}",
            ),
        ]
    )


def _comparison(controls: list[str], models: ModelSelection) -> Pipeline:
    compared = (models.baseline, "hybrid", *(f"hybrid_{control}" for control in controls))
    return Pipeline(
        [
            Node(
                nodes.evaluate_controls,
                inputs={
                    "parameters": "params:evaluation",
                    **TABLES,
                    **{model: f"recommendations_{model}" for model in compared},
                },
                outputs=["controls_leaderboard", "controls_comparisons"],
                name="evaluate_controls",
            ),
            Node(
                nodes.show_controls,
                inputs=["controls_leaderboard", "controls_comparisons", "params:evaluation"],
                outputs=None,
                name="show_controls",
            ),
        ]
    )
