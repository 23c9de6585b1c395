"""Popularity: the same ranking for everyone, by the number of users that have an item."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from longtail.arrays import Arrays
from longtail.models.base import Recommender, TrainingData, rows_below


class Popularity(Recommender):
    """Rank items by how many users have them."""

    def fit(self, data: TrainingData) -> Arrays:
        """Count the users of each item."""
        return {"item_scores": data.histories.item_counts().astype(np.float32)}

    def score(
        self, arrays: Arrays, data: TrainingData, users: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return the same counts for every user."""
        return np.tile(arrays["item_scores"], (len(users), 1))

    def add_items(self, arrays: Arrays, data: TrainingData) -> Arrays:
        """Count nobody for the items."""
        return {"item_scores": rows_below(arrays["item_scores"], data.histories.n_items)}
