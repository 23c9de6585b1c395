"""The project's pipelines, with the models that the configuration wants."""

from __future__ import annotations

import os

from kedro.pipeline import Pipeline

from longtail.configuration import current_parameters

# Set where the pipelines are drawn and not run (`make viz`).
VIEWING = "LONGTAIL_VIEWING"


def register_pipelines() -> dict[str, Pipeline]:
    """Return every pipeline by name; ``kedro run`` runs the first six as one graph.

    Only models that the parameters in force name have nodes.
    """
    # What fits models is imported here: the command line starts without it.
    from longtail.pipelines import (  # noqa: PLC0415
        als_baseline,
        arms,
        behaviour_cleaning,
        cold_start,
        deploy,
        evaluation,
        hybrid_scoring,
        item_encoding,
        language_study,
        recommenders,
        repeats,
        scoring,
    )
    from longtail.pipelines.selection import ModelSelection  # noqa: PLC0415

    parameters = current_parameters()
    models = ModelSelection.of(parameters)
    encoding = parameters.item_encoding
    second_encoding = bool(encoding.second_encoder or encoding.second_text)
    usual = {
        "behaviour_cleaning": behaviour_cleaning.create_pipeline(),
        "item_encoding": item_encoding.create_pipeline(),
        "als_baseline": als_baseline.create_pipeline(),
        "recommenders": recommenders.create_pipeline(models.other_than_als),
        "hybrid_scoring": hybrid_scoring.create_pipeline(models),
        "evaluation": evaluation.create_pipeline(models),
    }
    studies = {
        "arms": arms.create_pipeline(models, second_encoding),
        "cold_start": cold_start.create_pipeline(models),
        "language_study": language_study.create_pipeline(
            augmentation=parameters.augmentation_study.users > 0,
            judge=parameters.llm_judge.users > 0,
        ),
        "repeats": repeats.create_pipeline(),
    }
    production = {
        "deploy": deploy.create_pipeline(models),
        "scoring": scoring.create_pipeline(),
    }
    default = sum(usual.values(), start=Pipeline([]))
    if os.environ.get(VIEWING):
        from longtail.pipelines.overview import create_overview  # noqa: PLC0415

        default = create_overview(models)
    return {"__default__": default, **usual, **studies, **production}
