"""Evaluation: every model's recommendations scored, compared and drawn."""

from longtail.pipelines.evaluation.pipeline import create_pipeline

__all__ = ["create_pipeline"]
