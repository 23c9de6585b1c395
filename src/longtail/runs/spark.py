"""The Spark session of environments that clean on Spark."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def start_spark(settings: Mapping[str, str | int | bool], logging: Path) -> None:
    """Start the Spark session of this process, or apply the settings to the one that exists.

    Args:
        settings: options of Spark by name.
        logging: its Log4j 2 properties file.
    """
    from pyspark.sql import SparkSession  # noqa: PLC0415 optional

    builder = SparkSession.builder.config(
        "spark.driver.extraJavaOptions", f"-Dlog4j2.configurationFile={logging.resolve().as_uri()}"
    )
    for name, value in settings.items():
        builder = builder.config(name, value)
    builder.getOrCreate()
