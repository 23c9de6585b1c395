"""Neighbour models: recommend items close to those in the user's history."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from pydantic import Field

from longtail.arrays import Arrays, pack_sparse, unpack_sparse
from longtail.recommenders.base import Decay, Recommender, TrainingData


class NeighbourModel(Recommender):
    """Score an item by the sum of the graph weights from the items of the user.

    With a recency decay below 1 the weight of an item is multiplied by it for each newer item of
    the user; where the order of interactions is unknown, all items count alike. Items that the user
    dislikes are subtracted (Rocchio: Relevance Feedback in Information Retrieval, 1971).
    """

    recency_decay: Decay = 1.0
    dislike_weight: float = Field(
        0.0,
        ge=0,
        description="Weight of a disliked item, with a minus sign, beside a mean weight of 1 of the"
        " user's items; 0: dislikes are no evidence.",
    )

    @abstractmethod
    def graph(self, data: TrainingData) -> sp.csr_array:
        """Return the (n_items, n_items) float32 graph of neighbours."""

    def fit(self, data: TrainingData) -> Arrays:
        """Build the graph."""
        return pack_sparse("graph", self.graph(data))

    def score(
        self, arrays: Arrays, data: TrainingData, users: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return the recency-weighted sum over each user's items, less that over dislikes."""
        profile = data.histories.profiles(users, self.recency_decay)
        if self.dislike_weight > 0:
            profile = profile - self.dislike_weight * data.histories.dislikes(users)
        scores: NDArray[np.float32] = (profile @ unpack_sparse("graph", arrays)).toarray()
        return scores
