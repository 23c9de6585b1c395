"""Runs that were refused before they started, as failed runs in MLflow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kedro.io.core import generate_timestamp
from mlflow.tracking import MlflowClient

from longtail.tracking.descriptions import run_name
from longtail.tracking.store import opening, patient
from longtail.tracking.tracked_run import DESCRIPTION, ERROR


def log_refusal(
    mlflow_config: Mapping[str, Any],
    data_name: str,
    env: str,
    pipeline_names: Sequence[str],
    given: Mapping[str, Any],
    sentence: str,
) -> str:
    """Log a run that did not start as failed, with the sentence that the user saw; return its id.

    Args:
        mlflow_config: content of ``mlflow.yml``.
        data_name: of the data set, for the tag ``dataset``.
        env: environment of the configuration.
        pipeline_names: what was to run.
        given: parameters given at run time.
        sentence: why it did not.
    """
    uri = mlflow_config["server"]["mlflow_tracking_uri"]
    experiment = mlflow_config["tracking"]["experiment"]
    names = sorted(pipeline_names) or ["all"]
    tags = {
        "mlflow.runName": run_name(data_name, names, generate_timestamp(), given),
        "dataset": data_name,
        "env": env,
        "pipelines": "+".join(names),
        "refused": "true",
        ERROR: sentence,
        DESCRIPTION: sentence,
    }
    with opening(uri):
        client = patient(MlflowClient(uri))
        found = client.get_experiment_by_name(experiment["name"])
        experiment_id = (
            found.experiment_id
            if found
            else client.create_experiment(
                experiment["name"], **experiment.get("create_experiment_kwargs", {})
            )
        )
    run_id: str = client.create_run(experiment_id, tags=tags).info.run_id
    client.set_terminated(run_id, "FAILED")
    return run_id
