"""Wiring of the language study."""

from kedro.pipeline import Node, Pipeline

from longtail.models.interest_network import InterestNetwork
from longtail.models.language_model_ranker import LanguageModelRanker
from longtail.models.text_profile import TextProfile
from longtail.pipelines.language_study import nodes
from longtail.pipelines.recommenders import READ_FROM, tables_read_by


def create_pipeline() -> Pipeline:
    """Compress the vectors, predict stars, leave augmentations out, let a language model judge.

    Reads what ``kedro run`` saved and is not part of it: ``kedro run --pipelines=language_study``.
    """
    tuning = {"tuning": "params:tuning"}
    texts = {name: READ_FROM[name] for name in ("language_model", "item_texts")}
    return Pipeline(
        [
            Node(
                nodes.compress_vectors,
                inputs=tuning | texts | tables_read_by(TextProfile),
                outputs="compression",
                name="compress_vectors",
            ),
            Node(
                nodes.study_ratings,
                inputs={"ranker": "params:rating_study"}
                | tuning
                | {"test": "test_interactions@pandas"}
                | tables_read_by(LanguageModelRanker),
                outputs="rating_quality",
                name="study_ratings",
            ),
            Node(
                nodes.study_augmentation,
                inputs={
                    "study": "params:augmentation_study",
                    "evaluation": "params:evaluation",
                    "length": "params:recommendation_length",
                    "test": "test_interactions@pandas",
                }
                | tuning
                | tables_read_by(InterestNetwork),
                outputs="augmentation",
                name="study_augmentation",
            ),
            Node(
                nodes.ask_language_model,
                inputs={
                    "judge": "params:llm_judge",
                    "evaluation": "params:evaluation",
                    "recommendations": "recommendations_hybrid",
                    "reasons": "reasons",
                    "items": "items@pandas",
                    "test": "test_interactions@pandas",
                    "train": "train_interactions@pandas",
                    "validation": "validation_interactions@pandas",
                    "item_groups": "item_groups",
                    "user_groups": "user_groups",
                },
                outputs=["llm_judge", "llm_reasons"],
                name="ask_language_model",
            ),
            Node(
                nodes.show_language_study,
                inputs={
                    "compression": "compression",
                    "rating_quality": "rating_quality",
                    "augmentation": "augmentation",
                    "judged": "llm_judge",
                    "written": "llm_reasons",
                },
                outputs=None,
                name="show_language_study",
            ),
        ]
    )
