"""Popularity: one ranking for all users, by the number of users of an item."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from longtail.arrays import Arrays
from longtail.recommenders.base import Recommender, TrainingData


class Popularity(Recommender):
    """Rank items by their number of users."""

    def fit(self, data: TrainingData) -> Arrays:
        """Count the users of each item."""
        return {"item_scores": data.histories.item_counts().astype(np.float32)}

    def score(
        self, arrays: Arrays, data: TrainingData, users: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return the same counts for every user."""
        return np.tile(arrays["item_scores"], (len(users), 1))
