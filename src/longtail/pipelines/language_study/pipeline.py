"""Wiring of the language study."""

from kedro.pipeline import Node, Pipeline

from longtail.pipelines.language_study import nodes

SPLIT_TABLES = {
    "test": "test_interactions@pandas",
    "train": "train_interactions@pandas",
    "validation": "validation_interactions@pandas",
    "item_groups": "item_groups",
    "user_groups": "user_groups",
}


def create_pipeline(augmentation: bool, judge: bool) -> Pipeline:
    """Compress the vectors, predict stars, search for wishes; study augmentation and a judge.

    Reads what ``kedro run`` saved and is not part of it: ``kedro run --pipelines=language_study``.

    Args:
        augmentation: whether the interest network is trained without its augmentations.
        judge: whether a generative language model judges lists and writes reasons.
    """
    shown = {name: name for name in ("compression", "rating_quality", "wishes")}
    pipeline = Pipeline(
        [
            Node(
                nodes.compress_vectors,
                inputs={
                    "tuning": "params:tuning",
                    "training": "training_histories",
                    "held_out": "validation_histories",
                    "item_features": "item_features",
                },
                outputs="compression",
                name="compress_vectors",
            ),
            Node(
                nodes.study_ratings,
                inputs={
                    "ranker": "params:rating_study",
                    "tuning": "params:tuning",
                    "evaluation": "params:evaluation",
                    "past": "past_histories",
                    "item_features": "item_features",
                    **SPLIT_TABLES,
                    "interactions": "interactions@pandas",
                    "split": "split",
                    "checkpoints": "checkpoints",
                },
                outputs="rating_quality",
                name="study_ratings",
            ),
            Node(
                nodes.study_wishes,
                inputs={
                    "study": "params:wish_study",
                    "encoding": "params:item_encoding",
                    "evaluation": "params:evaluation",
                    "items": "items@pandas",
                    "item_embeddings": "item_embeddings",
                    "language_vectors": "language_vectors",
                    "item_groups": "item_groups",
                },
                outputs="wishes",
                name="study_wishes",
            ),
        ]
    )
    if augmentation:
        shown["augmentation"] = "augmentation"
        pipeline += Pipeline([_augmentation_node()])
    if judge:
        shown |= {"judged": "llm_judge", "written": "llm_reasons"}
        pipeline += Pipeline([_judge_node()])
    show = Node(nodes.show_language_study, inputs=shown, outputs=None, name="show_language_study")
    return Pipeline(
        pipeline + Pipeline([show]),
        namespace="language_study",
        prefix_datasets_with_namespace=False,
    )


def _augmentation_node() -> Node:
    return Node(
        nodes.study_augmentation,
        inputs={
            "study": "params:augmentation_study",
            "evaluation": "params:evaluation",
            "tuning": "params:tuning",
            "past": "past_histories",
            "item_features": "item_features",
            "checkpoints": "checkpoints",
            "length": "params:recommendation_length",
            **SPLIT_TABLES,
        },
        outputs="augmentation",
        name="study_augmentation",
    )


def _judge_node() -> Node:
    return Node(
        nodes.ask_language_model,
        inputs={
            "judge": "params:llm_judge",
            "evaluation": "params:evaluation",
            "recommendations": "recommendations_hybrid",
            "reasons": "reasons",
            "items": "items@pandas",
            **SPLIT_TABLES,
        },
        outputs=["llm_judge", "llm_reasons"],
        name="ask_language_model",
    )
