"""Wiring of the item encoding."""

from kedro.pipeline import Node, Pipeline

from longtail.pipelines.item_encoding.nodes import (
    adapt_to_behaviour,
    build_item_features,
    collect_embeddings,
    compose_texts,
    describe_items,
    encode_new_texts,
    encode_tfidf,
    find_phrases,
    relate_items,
    split_word_pieces,
    whiten_embeddings,
)

PARAMETERS = "params:item_encoding"
REPEAT = "params:repeat"


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
                relate_items,
                inputs=[PARAMETERS, "training_histories"],
                outputs="item_relations",
                name="relate_items",
            ),
            Node(
                adapt_to_behaviour,
                inputs=[
                    PARAMETERS,
                    "language_vectors",
                    "word_pieces",
                    "item_texts",
                    "training_histories",
                    "item_relations",
                    REPEAT,
                ],
                outputs="adapted_vectors",
                name="adapt_to_behaviour",
            ),
            Node(
                encode_tfidf,
                inputs=["item_texts", "train_interactions@pandas", PARAMETERS, REPEAT],
                outputs="tfidf_vectors",
                name="encode_tfidf",
            ),
            Node(
                build_item_features,
                inputs={
                    "tuning": "params:tuning",
                    "parameters": PARAMETERS,
                    "training": "training_histories",
                    "held_out": "validation_histories",
                    "items": "items@pandas",
                    "item_texts": "item_texts",
                    "item_embeddings": "item_embeddings",
                    "language_vectors": "language_vectors",
                    "adapted_vectors": "adapted_vectors",
                    "tfidf_vectors": "tfidf_vectors",
                },
                outputs=["item_features", "vector_choice"],
                name="build_item_features",
            ),
        ],
        namespace="item_encoding",
        prefix_datasets_with_namespace=False,
    )
