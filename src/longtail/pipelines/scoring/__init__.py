"""The pipeline scoring: lists for the users of a file, by the deployed hybrid."""

from longtail.pipelines.scoring.pipeline import create_pipeline

__all__ = ["create_pipeline"]
