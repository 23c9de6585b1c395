"""Longtail: recommendations for the long tail, and measurements of what language models add."""

import os
from pathlib import Path

__version__ = "0.1.0"

# Set before any library that would report usage is imported.
for _switch in ("DO_NOT_TRACK", "KEDRO_DISABLE_TELEMETRY", "HF_HUB_DISABLE_TELEMETRY"):
    os.environ.setdefault(_switch, "1")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")

# MLflow then uses the project's logging configuration instead of its own.
os.environ.setdefault("MLFLOW_CONFIGURE_LOGGING", "false")

# Kedro looks for this file in the current folder only; the project is also used from other folders.
_logging = Path(__file__).resolve().parents[2] / "conf/logging.yml"
if _logging.is_file():
    os.environ.setdefault("KEDRO_LOGGING_CONFIG", str(_logging))
