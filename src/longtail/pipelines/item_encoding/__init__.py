"""The pipeline item_encoding."""

from longtail.pipelines.item_encoding.pipeline import create_pipeline

__all__ = ["create_pipeline"]
