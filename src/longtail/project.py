"""The project's catalog outside of ``kedro run``: for notebooks, reports and commands."""

from typing import Any

from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.io import DataCatalog
from mlflow.tracking import MlflowClient

from longtail import settings
from longtail.errors import UserError
from longtail.hooks.records import RunRecords
from longtail.hooks.versions import pin_newest_complete


def open_catalog(
    env: str | None = None, load_versions: dict[str, str] | None = None
) -> DataCatalog:
    """Return the project's catalog; datasets load their newest complete versions.

    Args:
        env: the environment of the configuration; by default ``KEDRO_ENV``, else ``local``.
        load_versions: versions of datasets to load instead of the newest, by name.
    """
    context = _context(env)
    catalog: DataCatalog = context._get_catalog(load_versions=load_versions)
    names = {name for pipeline in pipelines.values() for name in pipeline.datasets()}
    pin_newest_complete(names - set(load_versions or {}), catalog, _records(context))
    return catalog


def open_records(env: str | None = None) -> RunRecords:
    """Return the records of an environment's runs."""
    return _records(_context(env))


def mlflow_client() -> MlflowClient:
    """Return a client of the MLflow store that the configuration names.

    Raises:
        UserError: the store does not answer.
    """
    context = _context(None)
    if not hasattr(context, "mlflow"):
        raise UserError(
            "The MLflow store of mlflow.yml (server.mlflow_tracking_uri) does not answer."
        )
    return MlflowClient(context.mlflow.server.mlflow_tracking_uri)


def _context(env: str | None) -> Any:
    bootstrap_project(settings.PROJECT_ROOT)
    with KedroSession.create(project_path=settings.PROJECT_ROOT, env=env) as session:
        return session.load_context()  # type: ignore[attr-defined]


def _records(context: Any) -> RunRecords:
    return RunRecords(settings.PROJECT_ROOT / context.config_loader["globals"]["data_root"])
