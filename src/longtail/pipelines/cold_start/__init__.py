"""The pipeline cold_start."""

from longtail.pipelines.cold_start.pipeline import create_pipeline

__all__ = ["create_pipeline"]
