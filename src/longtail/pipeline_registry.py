"""The project's pipelines."""

from kedro.framework.project import find_pipelines
from kedro.pipeline import Pipeline

STUDIES = ("controls", "cold_start", "language_study")


def register_pipelines() -> dict[str, Pipeline]:
    """Return every pipeline by name; ``kedro run`` runs all but the studies as one graph."""
    pipelines = find_pipelines(raise_errors=True)
    usual = [pipeline for name, pipeline in pipelines.items() if name not in STUDIES]
    pipelines["__default__"] = sum(usual, start=Pipeline([]))
    return pipelines
