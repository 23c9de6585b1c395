"""Wiring of the models that know behaviour alone."""

from kedro.pipeline import Pipeline

from longtail.models import COLLABORATIVE
from longtail.pipelines.recommenders import create_recommender_pipeline


def create_pipeline() -> Pipeline:
    """Tune, refit and recommend with ALS and the other collaborative models."""
    return create_recommender_pipeline(COLLABORATIVE)
