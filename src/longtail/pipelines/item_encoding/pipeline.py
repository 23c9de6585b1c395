"""Wiring of the item encoding."""

from kedro.pipeline import Node, Pipeline

from longtail.pipelines.item_encoding.nodes import (
    adapt_to_behaviour,
    choose_vectors,
    collect_embeddings,
    compose_texts,
    describe_items,
    encode_new_texts,
    encode_tfidf,
    find_phrases,
    find_text_neighbours,
    split_word_pieces,
    whiten_embeddings,
)

PARAMETERS = "params:item_encoding"
GROUPS = {"item_groups": "item_groups", "user_groups": "user_groups"}


def create_pipeline() -> Pipeline:
    """Compose and encode item texts, find keywords, adapt the vectors, find neighbours."""
    return Pipeline(
        [
            Node(
                compose_texts,
                inputs=["items@pandas", PARAMETERS],
                outputs="item_texts",
                name="compose_texts",
            ),
            Node(
                find_phrases,
                inputs=["item_texts", PARAMETERS],
                outputs="phrases",
                name="find_phrases",
            ),
            Node(
                encode_new_texts,
                inputs=["item_texts", "phrases", "cached_embeddings", PARAMETERS],
                outputs=["new_embeddings", "encoding_speed"],
                name="encode_new_texts",
            ),
            Node(
                collect_embeddings,
                inputs=["item_texts", "cached_embeddings", "new_embeddings"],
                outputs="item_embeddings",
                name="collect_embeddings",
            ),
            Node(
                describe_items,
                inputs={
                    "parameters": PARAMETERS,
                    "item_texts": "item_texts",
                    "item_embeddings": "item_embeddings",
                    "phrases": "phrases",
                    "cached": "cached_embeddings",
                    "encoded": "new_embeddings",
                    "checkpoints": "checkpoints",
                },
                outputs="item_understanding",
                name="describe_items",
            ),
            Node(
                whiten_embeddings,
                inputs=["item_embeddings", "item_texts", "train_interactions@pandas", PARAMETERS],
                outputs="language_vectors",
                name="whiten_embeddings",
            ),
            Node(
                split_word_pieces,
                inputs=[PARAMETERS, "item_texts"],
                outputs="word_pieces",
                name="split_word_pieces",
            ),
            Node(
                adapt_to_behaviour,
                inputs={
                    "parameters": PARAMETERS,
                    "vectors": "language_vectors",
                    "word_pieces": "word_pieces",
                    "item_texts": "item_texts",
                    "train": "train_interactions@pandas",
                }
                | GROUPS,
                outputs="adapted_vectors",
                name="adapt_to_behaviour",
            ),
            Node(
                choose_vectors,
                inputs={
                    "tuning": "params:tuning",
                    "parameters": PARAMETERS,
                    "language_vectors": "language_vectors",
                    "adapted_vectors": "adapted_vectors",
                    "train": "train_interactions@pandas",
                    "validation": "validation_interactions@pandas",
                }
                | GROUPS,
                outputs=["item_vectors", "text_neighbours", "frozen_neighbours", "vector_choice"],
                name="choose_vectors",
            ),
            Node(
                encode_tfidf,
                inputs=["item_texts", "train_interactions@pandas", PARAMETERS],
                outputs="tfidf_vectors",
                name="encode_tfidf",
            ),
            Node(
                find_text_neighbours,
                inputs=["tfidf_vectors", PARAMETERS],
                outputs="tfidf_neighbours",
                name="find_tfidf_neighbours",
            ),
        ]
    )
