"""Recent popularity: one ranking for all users, in which recent interactions count most."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from longtail.arrays import Arrays
from longtail.behaviour.histories import Histories
from longtail.recommenders.base import TrainingData
from longtail.recommenders.popularity import Popularity


class RecentPopularity(Popularity):
    """Rank items by their interactions, each with a weight that halves with age.

    This is plain popularity where timestamps are ordinal or missing, and where no cut-off holds for
    all users.
    """

    half_life: float = Field(
        0.05,
        gt=0,
        description="Age at which an interaction counts half, as a share of the log's time span.",
    )

    evidence: ClassVar[str] = "its recent popularity"
    search_space: ClassVar[Mapping[str, list[Any] | tuple[float, float]]] = {
        "half_life": (0.002, 1.0)
    }
    starting_points: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {"half_life": 0.05},
        {"half_life": 0.01},
        {"half_life": 0.2},
    )

    def fit(self, data: TrainingData) -> Arrays:
        """Sum the decayed interactions of each item."""
        if not data.histories.has_time_windows:
            return super().fit(data)
        weights = 0.5 ** (age_shares(data.histories) / self.half_life)
        counts = np.bincount(data.histories.items, weights, minlength=data.histories.n_items)
        return {"item_scores": counts.astype(np.float32)}


def age_shares(histories: Histories) -> NDArray[np.float64]:
    """Return (n,) ages from 0 (the latest) to 1 (the first, or of unknown time)."""
    times = histories.timestamps
    first, last = np.nanmin(times), np.nanmax(times)
    return np.nan_to_num((last - times) / max(last - first, 1.0), nan=1.0)
