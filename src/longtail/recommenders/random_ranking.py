"""Random ranking: the quality that chance gives."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from longtail.arrays import Arrays
from longtail.recommenders.base import Recommender, TrainingData


class RandomRanking(Recommender):
    """Rank the items in a random order for each user.

    Scores depend on seed, user and item alone, so they are the same in every block of users.
    """

    def fit(self, data: TrainingData) -> Arrays:
        """Keep the seed."""
        return {"seed": np.array([data.seed], dtype=np.int64)}

    def score(
        self, arrays: Arrays, data: TrainingData, users: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return numbers in [0, 1), hashes of seed, user and item."""
        n_items = data.histories.n_items
        cells = users[:, None] * n_items + np.arange(n_items)
        stream = scramble(arrays["seed"].astype(np.uint64))
        bits = scramble(cells.astype(np.uint64) + stream)
        # A float32 holds 24 bits.
        return (bits >> np.uint64(40)).astype(np.float32) * np.float32(2.0**-24)


def scramble(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return a 64-bit hash of each number (SplitMix64: Steele, Lea, Flood, OOPSLA 2014)."""
    mixed = values * np.uint64(0x9E3779B97F4A7C15) + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
