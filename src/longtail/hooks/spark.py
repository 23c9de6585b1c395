"""The Spark session of environments that clean on Spark."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kedro.config import MissingConfigException
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl

LOGGING = "log4j2.properties"


class SparkHooks:
    """Start Spark with the settings of ``spark.yml`` where an environment has that file."""

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Start the session that Ibis then finds."""
        try:
            settings = context.config_loader["spark"]
        except MissingConfigException:
            return
        # The loader raises for a missing file in every environment but ``base`` itself.
        if not settings:
            return
        folder = Path(context.config_loader.conf_source) / str(context.env)
        start_spark(settings, folder / LOGGING)


def start_spark(settings: Mapping[str, Any], logging: Path) -> None:
    """Start the Spark session of this process, or set up the one that runs already.

    Args:
        settings: options of Spark by name.
        logging: its Log4j 2 properties file.
    """
    from pyspark.sql import SparkSession  # noqa: PLC0415

    builder = SparkSession.builder.config(
        "spark.driver.extraJavaOptions", f"-Dlog4j2.configurationFile={logging.resolve().as_uri()}"
    )
    for name, value in settings.items():
        builder = builder.config(name, value)
    builder.getOrCreate()
