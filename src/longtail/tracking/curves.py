"""Training curves of fitted models as MLflow metrics by step, in a child run for each model."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from time import time

from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from mlflow.entities import Metric, Run
from mlflow.tracking import MlflowClient
from safetensors import safe_open

from longtail.runs.versions import saved_files
from longtail.tracking.requests import batches
from longtail.tracking.trials import create_child

CURVE = "curve."


def saved_curves(pipeline: Pipeline, catalog: DataCatalog) -> list[Metric]:
    """Return the training curves that fitted models hold, as metrics ``<model>.<metric>`` by step.

    A curve is a 1-D array ``curve.<metric>``. If the final model lacks a curve that the model
    fitted for validation has, such as the validation metric, it is taken from the latter.
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
    now = int(time() * 1000)
    return [
        Metric(name, value, now, step)
        for name, values in curves.items()
        for step, value in enumerate(values)
    ]


def log_curves(client: MlflowClient, run: Run, curves: Iterable[Metric]) -> None:
    """Log the curves as ``<metric>`` in one finished child run per model, ``<model> training``.

    Equal names of metrics let MLflow draw the curves of several models in one chart.

    Args:
        client: of the store.
        run: the run that fitted the models.
        curves: as ``saved_curves`` returns them.
    """
    by_model: dict[str, list[Metric]] = {}
    for point in curves:
        model, _, name = point.key.partition(".")
        metric = Metric(name, point.value, point.timestamp, point.step)
        by_model.setdefault(model, []).append(metric)
    for model, points in by_model.items():
        child = create_child(client, run, model, f"{model} training")
        for batch in batches(points):
            client.log_batch(child, metrics=batch)
        client.set_terminated(child)


def curves_in(path: Path) -> dict[str, list[float]]:
    """Return the curves in a safetensors file; other arrays are not read."""
    with safe_open(path, framework="np") as arrays:
        names = [name for name in arrays.keys() if name.startswith(CURVE)]  # noqa: SIM118
        return {name.removeprefix(CURVE): arrays.get_tensor(name).tolist() for name in names}
