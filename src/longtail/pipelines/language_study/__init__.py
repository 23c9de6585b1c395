"""The pipeline language_study."""

from longtail.pipelines.language_study.pipeline import create_pipeline

__all__ = ["create_pipeline"]
