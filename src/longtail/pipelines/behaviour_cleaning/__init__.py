"""From two raw files to clean behaviour, its splits and its groups."""

from longtail.pipelines.behaviour_cleaning.pipeline import create_pipeline

__all__ = ["create_pipeline"]
