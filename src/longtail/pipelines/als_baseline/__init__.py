"""The pipeline als_baseline."""

from longtail.pipelines.als_baseline.pipeline import create_pipeline

__all__ = ["create_pipeline"]
