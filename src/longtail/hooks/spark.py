"""Starts Spark for the environments that clean on it."""

from __future__ import annotations

from pathlib import Path

from kedro.config import MissingConfigException
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl

from longtail.runs.spark import start_spark

LOGGING = "log4j2.properties"


class SparkHooks:
    """Starts Spark with the settings of ``spark.yml`` if the environment has that file."""

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Start the session that Ibis then uses."""
        try:
            settings = context.config_loader["spark"]
        except MissingConfigException:
            return
        # The loader raises for a missing file in every environment but ``base`` itself.
        if not settings:
            return
        folder = Path(context.config_loader.conf_source) / str(context.env)
        start_spark(settings, folder / LOGGING)
