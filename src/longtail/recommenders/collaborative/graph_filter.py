"""Turbo-CF: a graph filter of the histories, without training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from pydantic import Field

from longtail.arrays import Arrays
from longtail.recommenders.base import RECENT_DECAYS, Decay, Recommender, TrainingData
from longtail.recommenders.linear_autoencoder import check_size


class GraphFilter(Recommender):
    """Smooth each history over the graph of co-consumption with a low-pass polynomial.

    Park, Shin, Shin: Turbo-CF: Matrix Decomposition-Free Graph Filtering for Fast Recommendation,
    SIGIR 2024. The graph is P = (R'R) ** s, entry by entry, where R are the interactions divided by
    the user's count to the power alpha and the item's to the power 1 - alpha. Items without
    interactions score 0.
    """

    user_exponent: float = Field(
        0.5,
        ge=0,
        le=1,
        description="alpha: exponent of the user's count; the item's has 1 - alpha.",
    )
    sharpness: float = Field(1.0, gt=0, description="s: exponent on the entries of the graph.")
    degree: int = Field(
        1, ge=1, le=3, description="Degree of the polynomial: P, 2P - P^2, or the third-order one."
    )
    recency_decay: Decay = 0.85
    max_items: int = Field(
        15_000,
        ge=1,
        description="Maximum number of items with interactions, since the filter is a dense matrix"
        " over them; with more, the model is left out.",
    )

    evidence: ClassVar[str] = "what is chosen around your items"
    search_space: ClassVar[Mapping[str, list[Any] | tuple[float, float]]] = {
        "user_exponent": [0.1, 0.3, 0.5, 0.7, 0.9],
        "sharpness": (0.3, 2.0),
        "degree": [1, 2, 3],
        "recency_decay": [*RECENT_DECAYS, 1.0],
    }
    starting_points: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {"user_exponent": 0.5, "sharpness": 1.0, "degree": 1, "recency_decay": 0.85},
        {"user_exponent": 0.5, "sharpness": 1.0, "degree": 3, "recency_decay": 1.0},
    )

    def fit(self, data: TrainingData) -> Arrays:
        """Return warm (n,), the indices of items with interactions, and graph (n, n) float32: P.

        Raises:
            NotApplicableError: more than ``max_items`` items have interactions.
        """
        histories = data.histories
        warm = np.flatnonzero(histories.item_counts())
        check_size(type(self).__name__, len(warm), self.max_items)
        users, items = histories.history_lengths(), histories.item_counts()
        scale = users[histories.users] ** -self.user_exponent * items[histories.items] ** (
            self.user_exponent - 1
        )
        normalised = histories.matrix(scale.astype(np.float32))[:, warm]
        graph = sp.csr_array(normalised.T @ normalised)
        graph.data **= np.float32(self.sharpness)
        return {"warm": warm, "graph": graph.toarray()}

    def score(
        self, arrays: Arrays, data: TrainingData, users: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return the filtered recency-weighted histories."""
        histories, warm = data.histories, arrays["warm"]
        profile = histories.matrix(histories.recency_weights(self.recency_decay))[users]
        scores = np.zeros((len(users), histories.n_items), dtype=np.float32)
        scores[:, warm] = self._filtered(profile[:, warm], arrays["graph"])
        return scores

    def _filtered(self, profile: sp.csr_array, graph: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the profiles times P, 2P - P^2 or P + 0.01 (-P^3 + 10 P^2 - 29 P).

        Powers of the graph itself would cost as much as its items cubed.
        """
        once: NDArray[np.float32] = profile @ graph
        if self.degree == 1:
            return once
        twice = once @ graph
        if self.degree == 2:
            return 2 * once - twice
        thrice = twice @ graph
        return (0.71 * once + 0.1 * twice - 0.01 * thrice).astype(np.float32, copy=False)
