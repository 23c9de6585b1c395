"""Wiring of the arms."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from longtail.pipelines.arms import nodes
from longtail.pipelines.evaluation.pipeline import TRUTH
from longtail.pipelines.hybrid_scoring.pipeline import gate_node, lists_node
from longtail.pipelines.item_encoding.nodes import adapt_to_behaviour
from longtail.pipelines.recommenders.pipeline import fitting_nodes
from longtail.pipelines.selection import ModelSelection

# The text representations of each arm.
ARMS: dict[str, tuple[str, ...]] = {
    "language": ("language",),
    "tfidf": ("tfidf",),
    "tfidf_and_language": ("language", "tfidf"),
    "no_text": (),
    "shuffled": ("shuffled",),
    "random": ("random",),
}
SECOND = "second_language"


def create_pipeline(models: ModelSelection, second_encoding: bool) -> Pipeline:
    """Fit the hybrid anew for each arm and compare the arms.

    An arm is the whole procedure with its own vectors: its choice between frozen and adapted ones,
    its tuning of every source that reads text, its gate and its tail emphasis. Collaborative
    sources are the same in all arms. Reads what ``kedro run`` saved and is not part of it:
    ``kedro run --pipelines=arms``.

    Args:
        models: the sources of the hybrid and the baseline.
        second_encoding: whether there is an arm with a second encoding of the items.
    """
    arms = ARMS | ({SECOND: (SECOND,)} if second_encoding else {})
    vectors, comparison = (
        Pipeline(part, namespace=namespace, prefix_datasets_with_namespace=False)
        for namespace, part in (
            ("vectors_of_arms", _vectors(second_encoding)),
            ("comparison_of_arms", _comparison(list(arms))),
        )
    )
    return sum(
        (_arm(arm, representations, models) for arm, representations in arms.items()),
        start=vectors + comparison,
    )


def _vectors(second_encoding: bool) -> Pipeline:
    """Make the frozen and the adapted vectors of every representation but the language vectors."""
    made = [
        Node(
            nodes.shuffle_texts,
            inputs=["language_vectors", "word_pieces", "params:tuning"],
            outputs=["shuffled_vectors", "shuffled_word_pieces"],
            name="shuffle_texts",
        ),
        Node(
            nodes.draw_random_vectors,
            inputs=["language_vectors", "params:tuning"],
            outputs="random_vectors",
            name="draw_random_vectors",
        ),
    ]
    word_pieces = {
        "tfidf": "word_pieces",
        "shuffled": "shuffled_word_pieces",
        "random": "shuffled_word_pieces",
    }
    if second_encoding:
        word_pieces[SECOND] = "second_word_pieces"
        made.append(
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
                    f"{SECOND}_vectors",
                    "second_word_pieces",
                    "second_encoding_speed",
                ],
                name="encode_with_second_encoder",
            )
        )
    adapted = [
        Node(
            adapt_to_behaviour,
            inputs=[
                "params:item_encoding",
                f"{representation}_vectors",
                pieces,
                "item_texts",
                "training_histories",
                "item_relations",
                "params:repeat",
            ],
            outputs=f"{representation}_adapted_vectors",
            name=f"adapt_{representation}_vectors",
        )
        for representation, pieces in word_pieces.items()
    ]
    return Pipeline(made + adapted)


def _arm(arm: str, representations: tuple[str, ...], models: ModelSelection) -> Pipeline:
    """Return the procedure of one arm, in a namespace of its own."""
    text = [source for source in models.sources_that_read(nodes.VIEWS) if representations]
    used = (*models.collaborative_sources, *text)
    has_text = bool(representations)
    pipeline = Pipeline([_views_node(representations)] if has_text else [])
    for source in text:
        # The nodes of each source have the same names: a namespace tells them apart.
        pipeline += Pipeline(
            fitting_nodes(source), namespace=source, prefix_datasets_with_namespace=False
        )
    pipeline += Pipeline([gate_node(used, models.baseline, has_text), lists_node(used, has_text)])
    inputs = pipeline.inputs()
    parameters = {name for name in inputs if name.startswith("params:")}
    return Pipeline(
        pipeline,
        namespace=arm,
        inputs=inputs - parameters,
        outputs={"recommendations_hybrid": recommendations_of(arm)},
        parameters=parameters,
    )


def recommendations_of(arm: str) -> str:
    """Return the dataset with the lists of an arm."""
    return f"recommendations_hybrid_{arm}"


def _views_node(representations: tuple[str, ...]) -> Node:
    frozen = [f"{name}_vectors" for name in representations]
    adapted = [
        "adapted_vectors" if name == "language" else f"{name}_adapted_vectors"
        for name in representations
    ]
    inputs = {
        "tuning": "params:tuning",
        "parameters": "params:item_encoding",
        "training": "training_histories",
        "held_out": "validation_histories",
        "frozen": frozen[0],
        "adapted": adapted[0],
    }
    if len(representations) > 1:
        inputs |= {"other_frozen": frozen[1], "other_adapted": adapted[1]}
    return Node(nodes.build_views, inputs=inputs, outputs="item_features", name="build_views")


def _comparison(arms: list[str]) -> Pipeline:
    return Pipeline(
        [
            Node(
                nodes.compare_arms,
                inputs={
                    "parameters": "params:evaluation",
                    **TRUTH,
                    "item_texts": "item_texts",
                    **{arm: recommendations_of(arm) for arm in arms},
                },
                outputs=["arms_leaderboard", "arms_contrasts"],
                name="compare_arms",
            ),
            Node(
                nodes.plot_contrasts,
                inputs=["arms_contrasts", "params:evaluation"],
                outputs="arms_plot",
                name="plot_contrasts",
            ),
            Node(
                nodes.write_arms_report,
                inputs=[
                    "arms_leaderboard",
                    "arms_contrasts",
                    "arms_plot",
                    "encoding_speed",
                    "params:evaluation",
                ],
                outputs="arms_report",
                name="write_arms_report",
            ),
            Node(
                nodes.show_arms,
                inputs=[
                    "arms_leaderboard",
                    "arms_contrasts",
                    "encoding_speed",
                    "params:evaluation",
                    "params:hybrid",
                ],
                outputs=None,
                name="show_arms",
            ),
        ]
    )
