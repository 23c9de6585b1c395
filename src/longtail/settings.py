"""Project settings: configuration loader and hooks."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from kedro.framework.project import LOGGING
from pydantic import BaseModel

from longtail.configuration import ConfigurationHooks, current_parameters
from longtail.errors import UserError
from longtail.hooks.inputs import InputHooks
from longtail.hooks.outputs import OutputHooks
from longtail.hooks.progress import ProgressHooks
from longtail.hooks.spark import SparkHooks
from longtail.hooks.tracking import TrackingHooks
from longtail.runs.sessions import SessionStore

# A run waits seconds, not minutes, for an MLflow server that does not answer: a request is given up
# after 2 x 10 s. Set the variables for a server that needs longer.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")

PROJECT_ROOT = Path(__file__).resolve().parents[2]

# The command line imports Kedro before this package; Kedro has then set up its own logging.
if "KEDRO_LOGGING_CONFIG" in os.environ:
    LOGGING.configure(yaml.safe_load(Path(os.environ["KEDRO_LOGGING_CONFIG"]).read_text("utf-8")))


def environment_variable(name: str, default: str | None = None) -> str:
    """Return an environment variable for the configuration.

    Raises:
        UserError: If it is not set and has no default.
    """
    value = os.environ.get(name) or default
    if value is None:
        raise UserError(f"Set the environment variable {name} to the folder that holds your data.")
    return value.replace("${", "\\${")


def folder_name(path: str) -> str:
    """Return the name of a folder for the configuration."""
    return Path(path).resolve().name


def parameter(path: str) -> Any:
    """Return a parameter in force, with those of the command line, for the configuration.

    Args:
        path: dotted name, such as ``behaviour_cleaning.interactions_columns.user_id``.
    """
    value: Any = current_parameters()
    for name in path.split("."):
        value = value[name] if isinstance(value, Mapping) else getattr(value, name)
    return value.model_dump() if isinstance(value, BaseModel) else value


CONFIG_LOADER_ARGS: dict[str, Any] = {
    "base_env": "base",
    "default_run_env": "local",
    "merge_strategy": {"parameters": "soft"},
    "config_patterns": {
        "globals": ["globals*.yml"],
        "tracking": ["tracking.yml"],
        "spark": ["spark.yml"],
        "mlflow": ["mlflow*", "mlflow*/**", "**/mlflow*"],
    },
    "custom_resolvers": {
        "project_root": lambda: str(PROJECT_ROOT),
        "environment_variable": environment_variable,
        "parameter": parameter,
        "folder_name": folder_name,
    },
}

# TrackingHooks extends the hook class of kedro-mlflow, which must not be registered as well.
DISABLE_HOOKS_FOR_PLUGINS = ("kedro_mlflow",)
HOOKS = (
    ConfigurationHooks(),
    InputHooks(),
    OutputHooks(),
    SparkHooks(),
    ProgressHooks(),
    TrackingHooks(),
)
SESSION_STORE_CLASS = SessionStore
