"""Wiring of the collaborative-filtering baseline."""

from kedro.pipeline import Pipeline

from longtail.pipelines.recommenders.pipeline import model_pipeline
from longtail.pipelines.selection import ALS


def create_pipeline() -> Pipeline:
    """Tune, refit and recommend with ALS of the library `implicit`."""
    return model_pipeline(ALS, namespace="als_baseline")
