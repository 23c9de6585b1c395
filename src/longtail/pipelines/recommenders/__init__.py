"""The pipeline recommenders: every single model but the ALS baseline."""

from longtail.pipelines.recommenders.pipeline import create_pipeline

__all__ = ["create_pipeline"]
