"""Wiring of the item encoding."""

from kedro.pipeline import Node, Pipeline

from longtail.pipelines.item_encoding.nodes import (
    collect_embeddings,
    compose_texts,
    encode_new_texts,
    encode_tfidf,
    find_text_neighbours,
    whiten_embeddings,
)

PARAMETERS = "params:item_encoding"


def create_pipeline() -> Pipeline:
    """Compose item texts, encode the new ones, whiten the vectors, find text neighbours."""
    return Pipeline(
        [
            Node(
                compose_texts,
                inputs=["items@pandas", PARAMETERS],
                outputs="item_texts",
                name="compose_texts",
            ),
            Node(
                encode_new_texts,
                inputs=["item_texts", "cached_embeddings", PARAMETERS],
                outputs="new_embeddings",
                name="encode_new_texts",
            ),
            Node(
                collect_embeddings,
                inputs=["item_texts", "cached_embeddings", "new_embeddings"],
                outputs="item_embeddings",
                name="collect_embeddings",
            ),
            Node(
                whiten_embeddings,
                inputs=["item_embeddings", "item_texts", "train_interactions@pandas", PARAMETERS],
                outputs="item_vectors",
                name="whiten_embeddings",
            ),
            Node(
                encode_tfidf,
                inputs=["item_texts", "train_interactions@pandas", PARAMETERS],
                outputs="tfidf_vectors",
                name="encode_tfidf",
            ),
            Node(
                find_text_neighbours,
                inputs=["item_vectors", PARAMETERS],
                outputs="text_neighbours",
                name="find_text_neighbours",
            ),
        ]
    )
