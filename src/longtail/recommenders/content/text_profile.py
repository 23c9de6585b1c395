"""Text profiles: the weighted mean of the language vectors of a user's items."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from longtail.arrays import Arrays
from longtail.recommenders.base import Decay, Recommender, TrainingData
from longtail.text.whitening import unit_length


def user_profiles(
    data: TrainingData, users: NDArray[np.int64], decay: float
) -> NDArray[np.float32]:
    """Return (len(users), d) float32 recency-weighted sums of item vectors, of unit length."""
    return unit_length(data.histories.profiles(users, decay) @ data.items.vectors)


class TextProfile(Recommender):
    """Rank items by the cosine between their language vector and the user's text profile."""

    recency_decay: Decay = 0.85

    reads: ClassVar[tuple[str, ...]] = ("vectors",)
    places_items: ClassVar[bool] = True
    evidence: ClassVar[str] = "how well its description fits everything you chose"
    search_space: ClassVar[Mapping[str, list[Any] | tuple[float, float]]] = {
        "recency_decay": [0.5, 0.7, 0.85, 1.0]
    }
    starting_points: ClassVar[tuple[Mapping[str, Any], ...]] = tuple(
        {"recency_decay": decay} for decay in (0.85, 0.7)
    )

    def fit(self, data: TrainingData) -> Arrays:
        """Return the language vectors."""
        return {"item_vectors": data.items.vectors}

    def score(
        self, arrays: Arrays, data: TrainingData, users: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return the cosines of profiles and item vectors."""
        return user_profiles(data, users, self.recency_decay) @ arrays["item_vectors"].T

    def add_items(self, arrays: Arrays, data: TrainingData) -> Arrays:
        """Add the language vectors of the new items."""
        return {"item_vectors": data.items.vectors}
