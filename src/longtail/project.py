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
    bootstrap_project(settings.PROJECT_ROOT)
    with KedroSession.create(project_path=settings.PROJECT_ROOT, env=env) as session:
        context: Any = session.load_context()  # type: ignore[attr-defined]
        catalog: DataCatalog = context._get_catalog(load_versions=load_versions)
        data_root = settings.PROJECT_ROOT / context.config_loader["globals"]["data_root"]
    names = {name for pipeline in pipelines.values() for name in pipeline.datasets()}
    pin_newest_complete(names - set(load_versions or {}), catalog, RunRecords(data_root))
    return catalog


def mlflow_client() -> MlflowClient:
    """Return a client of the MLflow store that the configuration names.

    Raises:
        UserError: the store does not answer.
    """
    bootstrap_project(settings.PROJECT_ROOT)
    with KedroSession.create(project_path=settings.PROJECT_ROOT) as session:
        context: Any = session.load_context()  # type: ignore[attr-defined]
    if not hasattr(context, "mlflow"):
        raise UserError(
            "The MLflow store of mlflow.yml (server.mlflow_tracking_uri) does not answer."
        )
    return MlflowClient(context.mlflow.server.mlflow_tracking_uri)
