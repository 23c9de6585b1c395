"""The pipeline deploy: the evaluated hybrid, refitted on the whole log."""

from longtail.pipelines.deploy.pipeline import create_pipeline

__all__ = ["create_pipeline"]
