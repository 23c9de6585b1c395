"""What MLflow gets of a run besides its parameters and metrics: trials, curves, differences."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from time import time
from typing import Any

from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from mlflow.entities import Metric, Param, Run
from mlflow.tracking import MlflowClient
from pydantic import BaseModel, ConfigDict, Field
from safetensors import safe_open

from longtail.errors import UserError
from longtail.hooks.versions import saved_files

BASELINE = "longtail.baseline"
COMPARED_WITH = "compared_with"
DIFFERENCE = "difference."
TRIALS = "_trials"
CURVE = "curve."
RANKING_QUALITY = re.compile(r"[^.]+\.(ndcg|recall)_at_\d+(\.[^.]+)?")
PARENT = "mlflow.parentRunId"
# Tags that trials share with their run, so that the same filters find them.
SHARED_TAGS = ("dataset", "env", "protocol")


class TrackingParameters(BaseModel):
    """What is tracked besides parameters, metrics, figures and lineage."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    log_model: bool = Field(True, description="Log and register the hybrid as an MLflow model.")
    log_trials: bool = Field(True, description="Log every tuning trial as a child run.")
    system_metrics: bool = Field(True, description="Sample the load of processor and memory.")


def log_trials(client: MlflowClient, run: Run, trials: Mapping[str, list[dict[str, Any]]]) -> None:
    """Log each trial as a finished child run with its parameters and validation metrics.

    Args:
        client: of the store.
        run: the run that tuned.
        trials: records with "trial", "parameters" and numbers, by model.
    """
    shared = {name: run.data.tags[name] for name in SHARED_TAGS if name in run.data.tags}
    for model, records in trials.items():
        for record in records:
            tags = shared | {
                PARENT: run.info.run_id,
                "mlflow.runName": f"{model} trial {record['trial']}",
                "model": model,
            }
            child = client.create_run(run.info.experiment_id, run.info.start_time, tags)
            client.log_batch(
                child.info.run_id,
                metrics=[Metric(name, value, _now(), 0) for name, value in _numbers(record)],
                params=[Param(name, str(value)) for name, value in record["parameters"].items()],
            )
            client.set_terminated(child.info.run_id)


def _numbers(record: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    return (
        (name, float(value))
        for name, value in record.items()
        if name != "trial" and isinstance(value, int | float)
    )


def _now() -> int:
    return int(time() * 1000)


def saved_trials(pipeline: Pipeline, catalog: DataCatalog) -> dict[str, list[dict[str, Any]]]:
    """Return the tuning trials that a run has saved, by model."""
    names = sorted(name for name in saved_files(pipeline, catalog) if name.endswith(TRIALS))
    return {name.removesuffix(TRIALS): catalog[name].load() for name in names}


def saved_curves(pipeline: Pipeline, catalog: DataCatalog) -> list[Metric]:
    """Return the training curves that fitted models hold, as metrics ``<model>.<metric>`` by step.

    A curve is a 1-D array ``curve.<metric>``. What only the model fitted for validation has, such
    as its validation metric, is taken from there.
    """
    curves: dict[str, list[float]] = {}
    for suffix in ("_validation_model", "_model"):
        for name, path in saved_files(pipeline, catalog).items():
            validation = name.endswith("_validation_model")
            if name.endswith("_model") and validation == (suffix == "_validation_model"):
                curves |= {
                    f"{name.removesuffix(suffix)}.{metric}": values
                    for metric, values in curves_in(path).items()
                }
    return [
        Metric(name, value, _now(), step)
        for name, values in curves.items()
        for step, value in enumerate(values)
    ]


def curves_in(path: Path) -> dict[str, list[float]]:
    """Return the curves in a safetensors file; other arrays are not read."""
    with safe_open(path, framework="np") as arrays:
        names = [name for name in arrays.keys() if name.startswith(CURVE)]  # noqa: SIM118
        return {name.removeprefix(CURVE): arrays.get_tensor(name).tolist() for name in names}


def mark_baseline(client: MlflowClient, run_id: str) -> Run:
    """Make a run the baseline of its data set and protocol, in place of the one before.

    Raises:
        UserError: If the run has no leaderboard to compare with.
    """
    run = client.get_run(run_id)
    if "protocol" not in run.data.tags or not run.data.metrics:
        raise UserError(f"The run {run_id} has no metrics: take a run of the pipeline evaluation.")
    for former in _baselines(client, run):
        client.delete_tag(former.info.run_id, BASELINE)
    client.set_tag(run_id, BASELINE, "true")
    return run


def _baselines(client: MlflowClient, run: Run) -> list[Run]:
    """Return the marked runs of the same data set and protocol."""
    wanted = {name: run.data.tags.get(name, "") for name in ("dataset", "protocol")}
    condition = " and ".join(f"tags.{name} = '{value}'" for name, value in wanted.items())
    return list(
        client.search_runs([run.info.experiment_id], f"tags.`{BASELINE}` = 'true' and {condition}")
    )


def differences(client: MlflowClient, run: Run) -> tuple[dict[str, float], dict[str, str]]:
    """Return a run's ranking quality minus that of its baseline, and which run that is, as tags.

    NDCG and recall, overall and for one group of items or of users. Nothing where no run of the
    same data set and protocol is marked, or this run is the baseline.
    """
    others = [other for other in _baselines(client, run) if other.info.run_id != run.info.run_id]
    if not others or not run.data.metrics:
        return {}, {}
    before, now = others[0].data, run.data
    metrics = {
        f"{DIFFERENCE}{name}": value - before.metrics[name]
        for name, value in now.metrics.items()
        if name in before.metrics and RANKING_QUALITY.fullmatch(name)
    }
    if not metrics:
        return {}, {}
    same = str(before.tags.get("split") == now.tags.get("split")).lower()
    return metrics, {COMPARED_WITH: others[0].info.run_id, f"{COMPARED_WITH}.same_split": same}
