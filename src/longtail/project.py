"""The project's catalog, records and MLflow store outside of ``kedro run``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.project import pipelines
from kedro.io import DataCatalog
from mlflow.tracking import MlflowClient

from longtail import settings
from longtail.errors import UserError
from longtail.private_interfaces import catalog_with_versions
from longtail.runs.records import RunRecords, name_of_data
from longtail.runs.reproduce import open_context
from longtail.runs.versions import pin_newest_complete


def open_catalog(
    env: str | None = None, load_versions: dict[str, str] | None = None
) -> DataCatalog:
    """Return the project's catalog; datasets load their newest complete versions.

    Args:
        env: the environment of the configuration; by default ``KEDRO_ENV``, else ``local``.
        load_versions: versions of datasets to load instead of the newest, by name.
    """
    return open_project(env, load_versions)[0]


def open_project(
    env: str | None = None, load_versions: dict[str, str] | None = None
) -> tuple[DataCatalog, RunRecords]:
    """Return the catalog, as ``open_catalog`` does, and the records of the environment's runs."""
    context = _context(env)
    catalog = catalog_with_versions(context, load_versions)
    names = {name for pipeline in pipelines.values() for name in pipeline.datasets()}
    data_root: str = context.config_loader["globals"]["data_root"]
    records = RunRecords(settings.PROJECT_ROOT / data_root)
    pin_newest_complete(names - set(load_versions or {}), catalog, records)
    _name_tables(names, catalog)
    return catalog, records


def _name_tables(names: Iterable[str], catalog: DataCatalog) -> None:
    """Let ``catalog.load("items")`` load what "items@pandas" does."""
    for name in names:
        plain, _, kind = name.partition("@")
        if kind == "pandas" and plain not in catalog:
            catalog[plain] = catalog[name]


def data_name(env: str | None = None) -> str:
    """Return the name of an environment's data set: that of the folder of its files."""
    return name_of_data(_context(env).config_loader["globals"])


def data_root(env: str | None = None) -> Path:
    """Return the folder that holds all that an environment's runs write."""
    folder: str = _context(env).config_loader["globals"]["data_root"]
    return settings.PROJECT_ROOT / folder


def mlflow_client(env: str | None = None) -> MlflowClient:
    """Return a client of the MLflow store that the configuration names.

    Args:
        env: the environment of the configuration; by default ``KEDRO_ENV``, else ``local``.

    Raises:
        UserError: If the store does not answer.
    """
    return mlflow_configuration(env)[1]


def mlflow_configuration(env: str | None) -> tuple[Any, MlflowClient]:
    """Return kedro-mlflow's configuration, set up, and a client of the store that it names.

    Raises:
        UserError: If the store does not answer.
    """
    # kedro-mlflow's hook adds its configuration once it has reached the store.
    configuration = getattr(_context(env), "mlflow", None)
    if configuration is None:
        raise UserError(
            "The MLflow store of mlflow.yml (server.mlflow_tracking_uri) does not answer."
        )
    return configuration, MlflowClient(configuration.server.mlflow_tracking_uri)


def _context(env: str | None) -> KedroContext:
    return open_context(settings.PROJECT_ROOT, env)
