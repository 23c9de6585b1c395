"""Wiring of the language study."""

from kedro.pipeline import Node, Pipeline

from longtail.models.language_model_ranker import LanguageModelRanker
from longtail.models.text_profile import TextProfile
from longtail.pipelines.language_study import nodes
from longtail.pipelines.recommenders import READ_FROM, tables_read_by


def create_pipeline() -> Pipeline:
    """Compress the language vectors, and predict stars from texts.

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
                nodes.show_language_study,
                inputs=["compression", "rating_quality"],
                outputs=None,
                name="show_language_study",
            ),
        ]
    )
