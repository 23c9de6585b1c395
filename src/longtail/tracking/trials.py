"""Tuning trials as child runs in MLflow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from time import time
from typing import Any

from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from mlflow.entities import Metric, Param, Run
from mlflow.tracking import MlflowClient

from longtail.runs.versions import saved_files

TRIALS = "_trials"
PARENT = "mlflow.parentRunId"
# Tags that child runs share with their run, so that the same filters find them.
SHARED_TAGS = ("dataset", "env", "protocol")


def log_trials(client: MlflowClient, run: Run, trials: Mapping[str, list[dict[str, Any]]]) -> None:
    """Log each trial as a finished child run with its parameters and validation metrics.

    Args:
        client: of the store.
        run: the run that tuned.
        trials: records with "trial", "parameters" and numbers, by model.
    """
    now = int(time() * 1000)
    for model, records in trials.items():
        for record in records:
            child = create_child(client, run, model, f"{model} trial {record['trial']}")
            client.log_batch(
                child,
                metrics=[Metric(name, value, now, 0) for name, value in _numbers(record)],
                params=[Param(name, str(value)) for name, value in record["parameters"].items()],
            )
            client.set_terminated(child)


def create_child(client: MlflowClient, run: Run, model: str, name: str) -> str:
    """Create a child run about one model, with the tags that filters need; return its id."""
    shared = {name: run.data.tags[name] for name in SHARED_TAGS if name in run.data.tags}
    tags = shared | {PARENT: run.info.run_id, "mlflow.runName": name, "model": model}
    child = client.create_run(run.info.experiment_id, run.info.start_time, tags)
    return str(child.info.run_id)


def _numbers(record: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    return (
        (name, float(value))
        for name, value in record.items()
        if name != "trial" and isinstance(value, int | float)
    )


def saved_trials(pipeline: Pipeline, catalog: DataCatalog) -> dict[str, list[dict[str, Any]]]:
    """Return the tuning trials that a run has saved, by model."""
    names = sorted(name for name in saved_files(pipeline, catalog) if name.endswith(TRIALS))
    return {name.removesuffix(TRIALS): catalog[name].load() for name in names}
