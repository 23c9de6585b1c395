"""The pipeline repeats."""

from longtail.pipelines.repeats.pipeline import create_pipeline

__all__ = ["create_pipeline"]
