"""Recent popularity: the same ranking for everyone, recent interactions counting most."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from longtail.arrays import Arrays
from longtail.behaviour.histories import Histories
from longtail.models.base import TrainingData
from longtail.models.popularity import Popularity


class RecentPopularity(Popularity):
    """Rank items by how many users have them, each counting less the longer ago it was.

    Without times that can be compared between users (ordinal or missing) it is plain popularity.
    """

    half_life: float = Field(
        0.05, gt=0, description="Age at which an interaction counts half, share of the time span."
    )

    search_space: ClassVar[Mapping[str, list[Any] | tuple[float, float]]] = {
        "half_life": (0.002, 1.0)
    }
    starting_points: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {"half_life": 0.05},
        {"half_life": 0.01},
        {"half_life": 0.2},
    )

    def fit(self, data: TrainingData) -> Arrays:
        """Sum the faded interactions of each item."""
        if not data.histories.has_calendar_time:
            return super().fit(data)
        weights = 0.5 ** (age_shares(data.histories) / self.half_life)
        counts = np.bincount(data.histories.items, weights, minlength=data.histories.n_items)
        return {"item_scores": counts.astype(np.float32)}


def age_shares(histories: Histories) -> NDArray[np.float64]:
    """Return (n,) ages of the interactions, 0 the latest and 1 the first or of unknown time."""
    times = histories.timestamps
    first, last = np.nanmin(times), np.nanmax(times)
    return np.nan_to_num((last - times) / max(last - first, 1.0), nan=1.0)
