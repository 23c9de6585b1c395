"""What each model costs: seconds to fit, bytes, milliseconds for a user's list."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd
from kedro.pipeline.node import Node

MODEL = "_model"
VALIDATION_MODEL = "_validation_model"
GATE = "_gate"
RECOMMENDATIONS = "recommendations_"


class CostMeter:
    """Times the nodes of a run that fit a model or recommend with it.

    Times are those of the node's function, without reading and writing.
    """

    def __init__(self) -> None:
        self.metrics: dict[str, float] = {}
        self._started: dict[str, float] = {}

    def start(self, node: Node) -> None:
        """Remember when a node began."""
        self._started[node.name] = perf_counter()

    def stop(self, node: Node, outputs: Mapping[str, Any]) -> None:
        """Keep what a node that has ended tells of the costs of its model."""
        self.metrics |= costs(outputs, perf_counter() - self._started.pop(node.name))


def costs(outputs: Mapping[str, Any], seconds: float) -> dict[str, float]:
    """Return fit_seconds and model_bytes, or milliseconds_per_user, of the models in some outputs.

    Args:
        outputs: of one node, by name of the dataset.
        seconds: that the node took.
    """
    metrics: dict[str, float] = {}
    for name, value in outputs.items():
        if name.endswith(MODEL) and not name.endswith(VALIDATION_MODEL) and value:
            model, arrays = name.removesuffix(MODEL), value.values()
            metrics[f"{model}.fit_seconds"] = seconds
            metrics[f"{model}.model_bytes"] = float(sum(np.asarray(a).nbytes for a in arrays))
        elif name.endswith(GATE):
            metrics[f"{name.removesuffix(GATE)}.fit_seconds"] = seconds
        elif name.startswith(RECOMMENDATIONS) and isinstance(value, pd.DataFrame) and len(value):
            model, users = name.removeprefix(RECOMMENDATIONS), value["user_id"].nunique()
            metrics[f"{model}.milliseconds_per_user"] = 1000 * seconds / users
    return metrics
