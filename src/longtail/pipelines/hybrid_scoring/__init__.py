"""The pipeline hybrid_scoring."""

from longtail.pipelines.hybrid_scoring.pipeline import create_pipeline

__all__ = ["create_pipeline"]
