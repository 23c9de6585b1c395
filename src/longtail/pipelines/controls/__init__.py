"""Controls: the same hybrid with the language taken out, to learn what the language brings."""

from longtail.pipelines.controls.pipeline import create_pipeline

__all__ = ["create_pipeline"]
