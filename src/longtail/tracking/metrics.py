"""Metrics and artifacts of a run, from the datasets that the catalog marks.

The marks are under ``metadata: mlflow:``

- ``metrics: true``: the numbers of a JSON dataset become metrics; of a leaderboard, its headlines,
  and all of its rows become a table.
- ``artifact: true``: the saved file is attached to the run; figures become one page.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.io import AbstractVersionedDataset, DataCatalog
from kedro.pipeline import Pipeline

from longtail.private_interfaces import VersionedDataset, load_path
from longtail.tracking.parameters import flatten

if TYPE_CHECKING:
    import plotly.graph_objects as go

Row = Mapping[str, Any]

HYBRID = "hybrid"
# Metrics of a run besides its costs, with the item groups that they are logged for; all others are
# in the table alone.
HEADLINES = {
    "ndcg": ("all", "head", "tail"),
    "recall": ("all", "tail"),
    "catalog_coverage": ("all",),
    "gini": ("all",),
}
COLUMNS = ("model", "metric", "k", "item_group", "user_group", "value")


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
    """Return the files to attach to the run; figures are attached as one page instead."""
    marked = _marked("artifact", pipeline, catalog).values()
    return [load_path(dataset) for dataset in marked if not _is_figure(dataset)]


def saved_figures(pipeline: Pipeline, catalog: DataCatalog) -> dict[str, go.Figure]:
    """Return the figures to attach to the run, by the name of their dataset."""
    marked = _marked("artifact", pipeline, catalog).items()
    return {name: dataset.load() for name, dataset in marked if _is_figure(dataset)}


def _is_figure(dataset: VersionedDataset) -> bool:
    from kedro_datasets.plotly import JSONDataset  # noqa: PLC0415 brings IPython along

    return isinstance(dataset, JSONDataset)


def saved_metrics(
    pipeline: Pipeline, catalog: DataCatalog, costs: Mapping[str, Mapping[str, float]]
) -> tuple[dict[str, float], list[Row]]:
    """Return the headline metrics of a run and the table that holds all of its metrics.

    NaN and infinity are left out.

    Args:
        pipeline: what ran.
        catalog: its datasets; the JSON datasets that it marks hold the metrics.
        costs: of the models, by name.
    """
    metrics: dict[str, float] = {}
    table: list[Row] = []
    baseline = catalog["params:evaluation.baseline"].load()
    headline_models = {HYBRID, baseline}
    for name, dataset in _marked("metrics", pipeline, catalog).items():
        content = dataset.load()
        if isinstance(content, list):
            k = catalog["params:evaluation.primary_k"].load()
            headline_models = compared_models(content, baseline)
            metrics |= leaderboard_metrics(content, k, headline_models)
            table += leaderboard_table(content, k, headline_models)
        else:
            metrics |= numbers(name, content)
    for model, cost in costs.items():
        table += [_row(model, name, None, "all", "all", value) for name, value in cost.items()]
        if model in headline_models:
            metrics |= flatten(cost, model)
    finite = {name: value for name, value in metrics.items() if math.isfinite(value)}
    return finite, [row for row in table if math.isfinite(row["value"])]


def numbers(name: str, content: Mapping[str, Any]) -> dict[str, float]:
    """Return the numeric leaves of a JSON object under dotted names."""
    return {
        key: float(value)
        for key, value in flatten(content, name).items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def compared_models(rows: Sequence[Row], baseline: str) -> set[str]:
    """Return the models whose headlines are metrics: hybrid and baseline, else all (of arms)."""
    models = {str(row["model"]) for row in rows}
    return models & {HYBRID, baseline} if HYBRID in models else models


def leaderboard_metrics(
    rows: Sequence[Row], primary_k: int, models: Collection[str]
) -> dict[str, float]:
    """Return the headlines of a leaderboard at the primary K, for some of its models."""
    return {
        metric_name(row): float(row["value"])
        for row in rows
        if row["value"] is not None and row["model"] in models and _is_headline(row, primary_k)
    }


def _is_headline(row: Row, primary_k: int) -> bool:
    groups = HEADLINES.get(row["metric"], ())
    return row["k"] == primary_k and row["user_group"] == "all" and row["item_group"] in groups


def leaderboard_table(rows: Sequence[Row], primary_k: int, first: Collection[str]) -> list[Row]:
    """Return the rows of a leaderboard that have a value, without intervals.

    Args:
        rows: of the leaderboard.
        primary_k: its rows come before those of other lengths, as all users and items do before
            their groups.
        first: models that come before the others; the hybrid comes before these.
    """

    def place(row: Row) -> tuple[bool, ...]:
        groups = (row["item_group"], row["user_group"])
        model = row["model"]
        in_groups = groups != ("all", "all")
        return model != HYBRID, model not in first, row["k"] not in (primary_k, None), in_groups

    return [
        _row(*(row[name] for name in COLUMNS[:-1]), float(row["value"]))
        for row in sorted(rows, key=place)
        if row["value"] is not None
    ]


def _row(*values: Any) -> Row:
    return dict(zip(COLUMNS, values, strict=True))


def metric_name(row: Row) -> str:
    """Name a leaderboard row, e.g. ``hybrid.recall_at_20.tail.quiet_users``."""
    at_k = "" if row["k"] is None else f"_at_{row['k']}"
    parts = [str(row["model"]), f"{row['metric']}{at_k}"]
    if row["item_group"] != "all":
        parts.append(str(row["item_group"]))
    if row["user_group"] != "all":
        parts.append(f"{row['user_group']}_users")
    return ".".join(parts)
