"""What each model costs: seconds to fit, bytes, milliseconds per user's list."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd
from kedro.pipeline.node import Node

from longtail.runs.records import RunRecords

MODEL = "_model"
VALIDATION_MODEL = "_validation_model"
GATE = "_gate"
RECOMMENDATIONS = "recommendations_"

Costs = dict[str, dict[str, float]]


class CostMeter:
    """Times the nodes of a run that fit a model or recommend with it.

    Times are those of the node's function, without reading and writing.

    Attributes:
        costs: what the run's models cost so far, by dataset.
    """

    def __init__(self) -> None:
        self.costs: Costs = {}
        self._started: dict[str, float] = {}

    def start(self, node: Node) -> None:
        """Remember when a node began."""
        self._started[node.name] = perf_counter()

    def stop(self, node: Node, outputs: Mapping[str, Any]) -> None:
        """Keep the costs of the model that a finished node has fitted or recommended with."""
        self.costs |= costs(outputs, perf_counter() - self._started.pop(node.name))


def costs(outputs: Mapping[str, Any], seconds: float) -> Costs:
    """Return fit_seconds and model_bytes, or milliseconds_per_user, by output of a node.

    Args:
        outputs: of the node, by dataset.
        seconds: how long the node took.
    """
    found: Costs = {}
    for name, value in outputs.items():
        if name.endswith(MODEL) and not name.endswith(VALIDATION_MODEL) and value.arrays:
            size = sum(np.asarray(array).nbytes for array in value.arrays.values())
            found[name] = {"fit_seconds": seconds, "model_bytes": float(size)}
        elif name.endswith(GATE):
            found[name] = {"fit_seconds": seconds}
        elif name.startswith(RECOMMENDATIONS) and isinstance(value, pd.DataFrame) and len(value):
            found[name] = {"milliseconds_per_user": 1000 * seconds / value["user_id"].nunique()}
    return found


def by_model(found: Costs) -> Costs:
    """Return the costs by model instead of by dataset."""
    models: Costs = {}
    for name, values in found.items():
        model = name.removesuffix(MODEL).removesuffix(GATE).removeprefix(RECOMMENDATIONS)
        models[model] = models.get(model, {}) | values
    return models


def costs_behind(dataset: str, version: str, records: RunRecords) -> Costs:
    """Return the costs of the models that a version of a dataset was made with, from any run.

    Args:
        dataset: for example ``leaderboard``.
        version: which version of it.
        records: the records of the runs.
    """
    found: Costs = {}
    for name, made in records.ancestors(dataset, version).items():
        record = records.read(made)
        if record is not None and name in record.costs:
            found[name] = record.costs[name]
    return by_model(found)
