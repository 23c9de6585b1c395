"""Wiring of the controls."""

from collections.abc import Callable
from typing import Any

from kedro.pipeline import Node, Pipeline

from longtail.models import COLLABORATIVE, MODELS
from longtail.pipelines.controls import nodes
from longtail.pipelines.evaluation.pipeline import TABLES
from longtail.pipelines.item_encoding.nodes import adapt_to_behaviour
from longtail.pipelines.recommenders import BEHAVIOUR_TABLES

PARAMETERS = {"hybrid": "params:hybrid", "tuning": "params:tuning"}

# Where the vectors of the items come from; without a text there are none.
VECTORS: dict[str, str | None] = {
    "no_text": None,
    "shuffled": "shuffled_vectors",
    "random": "random_vectors",
    "tfidf": "tfidf_vectors",
    "tfidf_adapted": "tfidf_adapted_vectors",
    "frozen": "language_vectors",
    "second_encoder": "second_encoder_vectors",
}

# Controls whose neighbours the item encoding has found.
NEIGHBOURS_KNOWN = ("tfidf", "frozen")


def create_pipeline() -> Pipeline:
    """Fit the hybrid with each control's vectors, recommend, and compare them all.

    Reads what ``kedro run`` saved and is not part of it: ``kedro run --pipelines=controls``. The
    sources keep the hyper-parameters that were chosen with the language vectors; gate and tail knob
    are chosen anew.
    """
    return sum(map(_control_nodes, VECTORS), start=Pipeline([*_vector_nodes(), *_report_nodes()]))


def _vector_nodes() -> list[Node]:
    made: list[tuple[str, Callable[..., Any]]] = [
        ("shuffle_vectors", nodes.shuffle_vectors),
        ("draw_random_vectors", nodes.draw_random_vectors),
    ]
    outputs = ("shuffled_vectors", "random_vectors")
    adapted = Node(
        adapt_to_behaviour,
        inputs={
            "parameters": "params:item_encoding",
            "vectors": "tfidf_vectors",
            "word_pieces": "word_pieces",
            "item_texts": "item_texts",
            "train": "train_interactions@pandas",
            "item_groups": "item_groups",
            "user_groups": "user_groups",
        },
        outputs="tfidf_adapted_vectors",
        name="adapt_tfidf_vectors",
    )
    second = Node(
        nodes.encode_with_second_encoder,
        inputs={
            "parameters": "params:item_encoding",
            "item_texts": "item_texts",
            "item_understanding": "item_understanding",
            "cached": "cached_second_embeddings",
            "train": "train_interactions@pandas",
        },
        outputs=["new_second_embeddings", "second_encoder_vectors", "second_encoding_speed"],
        name="encode_with_second_encoder",
    )
    return [
        Node(function, inputs=["item_vectors", "params:tuning"], outputs=output, name=name)
        for (name, function), output in zip(made, outputs, strict=True)
    ] + [adapted, second]


def _control_nodes(control: str) -> Pipeline:
    vectors, neighbours = VECTORS[control], f"{control}_neighbours"
    tables, found = BEHAVIOUR_TABLES, []
    if vectors is not None:
        tables = tables | {
            "item_vectors": vectors,
            "item_embeddings": vectors,
            "text_neighbours": neighbours,
            "frozen_neighbours": neighbours,
            "tfidf_neighbours": neighbours,
        }
    if vectors is not None and control not in NEIGHBOURS_KNOWN:
        found = [
            Node(
                nodes.find_neighbours,
                inputs=[vectors, "params:item_encoding"],
                outputs=neighbours,
                name=f"find_{control}_neighbours",
            )
        ]
    gate = f"hybrid_{control}_gate"
    return Pipeline(
        [
            *found,
            Node(
                nodes.fit_control_gate,
                inputs=PARAMETERS | tables | _fitted("validation_model"),
                outputs=gate,
                name=f"fit_hybrid_{control}_gate",
            ),
            Node(
                nodes.recommend_with_control,
                inputs=PARAMETERS
                | {
                    "gate": gate,
                    "test": "test_interactions@pandas",
                    "length": "params:recommendation_length",
                }
                | tables
                | _fitted("model"),
                outputs=f"recommendations_hybrid_{control}",
                name=f"recommend_hybrid_{control}",
            ),
        ]
    )


def _report_nodes() -> list[Node]:
    models = ("als", "hybrid", *(f"hybrid_{control}" for control in VECTORS))
    recommendations = {model: f"recommendations_{model}" for model in models}
    return [
        Node(
            nodes.evaluate_controls,
            inputs={"parameters": "params:evaluation"} | TABLES | recommendations,
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


def _fitted(arrays: str) -> dict[str, str]:
    """Return the inputs: collaborative models as fitted, of those with text the parameters only."""
    names = tuple(MODELS)
    hyperparameters = {f"{name}_hyperparameters": f"{name}_hyperparameters" for name in names}
    return hyperparameters | {f"{name}_arrays": f"{name}_{arrays}" for name in COLLABORATIVE}
