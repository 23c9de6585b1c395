"""The fitted hybrid and its JSON form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from longtail.hybrid.gate import Gate


@dataclass(frozen=True)
class Hybrid:
    """A fitted hybrid.

    Attributes:
        gate: weights of the features.
        tail_emphasis: score taken off an item per log(1 + count).
        front: quality of cross-fitted validation lists at each tail emphasis of the grid.
        alone: quality of the validation lists of each source, by its name.
    """

    gate: Gate
    tail_emphasis: float
    front: list[dict[str, float]]
    alone: dict[str, dict[str, float]]

    def to_json(self) -> dict[str, Any]:
        """Return the hybrid as plain JSON."""
        names = self.gate.names
        return {
            "tail_emphasis": self.tail_emphasis,
            "importance": dict(zip(names, self.gate.importance.tolist(), strict=True)),
            "weights": dict(zip(names, self.gate.weights.tolist(), strict=True)),
            "front": self.front,
            "alone": self.alone,
        }

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Hybrid:
        """Return the hybrid that ``to_json`` wrote."""
        gate = Gate(
            names=tuple(content["weights"]),
            weights=np.array(list(content["weights"].values())),
            importance=np.array(list(content["importance"].values())),
        )
        return cls(gate, content["tail_emphasis"], content["front"], content["alone"])
