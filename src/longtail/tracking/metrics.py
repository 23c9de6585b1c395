"""Metrics and artifacts of a run, from the datasets that the catalog marks.

The marks are under ``metadata: mlflow:``

- ``metrics: true``: the numbers of a JSON dataset become metrics; of a leaderboard, its headlines.
- ``artifact: true``: the saved file is attached to the run.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kedro.io import AbstractVersionedDataset, DataCatalog
from kedro.pipeline import Pipeline

from longtail.private_interfaces import VersionedDataset, load_path
from longtail.tracking.parameters import flatten


def _marked(mark: str, pipeline: Pipeline, catalog: DataCatalog) -> dict[str, VersionedDataset]:
    """Return what the pipeline saved and the catalog marks with ``metadata: mlflow: <mark>``."""
    datasets = {name: catalog[name] for name in sorted(pipeline.all_outputs())}
    return {
        name: dataset
        for name, dataset in datasets.items()
        if isinstance(dataset, AbstractVersionedDataset)
        and (getattr(dataset, "metadata", None) or {}).get("mlflow", {}).get(mark)
    }


def saved_artifacts(pipeline: Pipeline, catalog: DataCatalog) -> list[Path]:
    """Return the files to attach to the run."""
    return [load_path(dataset) for dataset in _marked("artifact", pipeline, catalog).values()]


def saved_metrics(pipeline: Pipeline, catalog: DataCatalog) -> dict[str, float]:
    """Return the metrics of the JSON datasets that the catalog marks; NaN and infinity left out."""
    metrics: dict[str, float] = {}
    for name, dataset in _marked("metrics", pipeline, catalog).items():
        content = dataset.load()
        if isinstance(content, list):
            primary_k = catalog["params:evaluation.primary_k"].load()
            metrics |= leaderboard_metrics(content, primary_k)
        else:
            metrics |= numbers(name, content)
    return {name: value for name, value in metrics.items() if math.isfinite(value)}


def numbers(name: str, content: Mapping[str, Any]) -> dict[str, float]:
    """Return the numeric leaves of a JSON object under dotted names."""
    return {
        key: float(value)
        for key, value in flatten(content, name).items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def leaderboard_metrics(rows: Sequence[Mapping[str, Any]], primary_k: int) -> dict[str, float]:
    """Return the headlines of a leaderboard: all rows at the primary K, overall rows at any K."""
    return {
        metric_name(row): float(row["value"])
        for row in rows
        if row["value"] is not None and _is_headline(row, primary_k)
    }


def _is_headline(row: Mapping[str, Any], primary_k: int) -> bool:
    overall = row["item_group"] == "all" and row["user_group"] == "all"
    return overall or row["k"] in (primary_k, None)


def metric_name(row: Mapping[str, Any]) -> str:
    """Name a leaderboard row, e.g. ``hybrid.recall_at_20.tail.quiet_users``."""
    at_k = "" if row["k"] is None else f"_at_{row['k']}"
    parts = [str(row["model"]), f"{row['metric']}{at_k}"]
    if row["item_group"] != "all":
        parts.append(str(row["item_group"]))
    if row["user_group"] != "all":
        parts.append(f"{row['user_group']}_users")
    return ".".join(parts)
