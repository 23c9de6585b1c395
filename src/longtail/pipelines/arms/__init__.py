"""The pipeline arms: the hybrid with other text representations, each by the whole procedure."""

from longtail.pipelines.arms.pipeline import create_pipeline

__all__ = ["create_pipeline"]
