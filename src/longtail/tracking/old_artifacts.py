"""Frees the artifacts of runs whose data are removed; their parameters and metrics stay."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mlflow.entities import Run
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.tracking import MlflowClient

from longtail.tracking.model_registry import PREFIX

# The tag that names the version which a run saved.
VERSION_TAG = "run_id"


def versions_of_models(client: MlflowClient) -> set[str]:
    """Return the versions behind the registered models that are served.

    These are the versions with an alias, such as the champion, and the newest of each model.
    """
    needed = set()
    for model in client.search_registered_models():
        if model.name.startswith(PREFIX):
            found = client.search_model_versions(f"name = '{model.name}'")
            served = {str(number) for number in model.aliases.values()}
            served.add(str(max((int(one.version) for one in found), default=0)))
            runs = [one.run_id for one in found if str(one.version) in served and one.run_id]
            needed |= {client.get_run(run_id).data.tags.get(VERSION_TAG, "") for run_id in runs}
    return needed - {""}


def tracked_runs(client: MlflowClient, versions: Iterable[str]) -> list[Run]:
    """Return the runs that saved the given versions."""
    experiments = [one.experiment_id for one in client.search_experiments()]
    found = (
        client.search_runs(experiments, f"tags.{VERSION_TAG} = '{version}'") for version in versions
    )
    return [run for runs in found for run in runs]


def remove_artifacts(client: MlflowClient, run: Run) -> None:
    """Remove artifacts, logged models and registered versions of a run."""
    for registered in client.search_model_versions(f"run_id = '{run.info.run_id}'"):
        client.delete_model_version(registered.name, str(registered.version))
    models = client.search_logged_models(
        [run.info.experiment_id], f"source_run_id = '{run.info.run_id}'"
    )
    for model in models:
        _remove_all(model.artifact_location)
        client.delete_logged_model(model.model_id)
    _remove_all(run.info.artifact_uri)


def _remove_all(location: str) -> None:
    repository: Any = get_artifact_repository(location)
    repository.delete_artifacts()
