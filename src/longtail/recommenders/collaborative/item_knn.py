"""Item neighbours by co-consumption."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import scipy.sparse as sp
from pydantic import Field

from longtail.arrays import Arrays, unpack_sparse
from longtail.item_graphs.graphs import cooccurrence_graph
from longtail.recommenders.base import RECENT_DECAYS, Decay, TrainingData, with_decays
from longtail.recommenders.neighbours import NeighbourModel

SEARCH_SPACE: Mapping[str, list[Any] | tuple[float, float]] = {
    "shrinkage": (0.5, 200.0),
    "neighbours": [50, 100, 200, 400],
}
STARTING_POINTS: tuple[Mapping[str, Any], ...] = (
    {"shrinkage": 20.0, "neighbours": 200},
    {"shrinkage": 5.0, "neighbours": 200},
)


class ItemKNN(NeighbourModel):
    """Item neighbours by co-consumption with shrinkage.

    Sarwar, Karypis, Konstan, Riedl: Item-Based Collaborative Filtering, WWW 2001.
    """

    shrinkage: float = Field(20.0, ge=0, description="Users added to the count of each item.")
    neighbours: int = Field(200, ge=1, description="Neighbours of each item.")

    evidence: ClassVar[str] = "how often it is chosen together with your items"
    search_space: ClassVar[Mapping[str, list[Any] | tuple[float, float]]] = {
        **SEARCH_SPACE,
        "dislike_weight": [0.0, 0.1, 0.2, 0.35],
    }
    starting_points: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {**STARTING_POINTS[0], "dislike_weight": 0.0},
        {**STARTING_POINTS[0], "dislike_weight": 0.2},
        {**STARTING_POINTS[1], "dislike_weight": 0.2},
    )

    def graph(self, data: TrainingData) -> sp.csr_array:
        """Return the co-consumption graph."""
        return cooccurrence_graph(data.histories.matrix(), self.shrinkage, self.neighbours)


class RecentItemKNN(ItemKNN):
    """Item neighbours by co-consumption, with recency-weighted histories."""

    recency_decay: Decay = 0.7

    evidence: ClassVar[str] = "how often it is chosen together with your latest items"
    search_space: ClassVar[Mapping[str, list[Any] | tuple[float, float]]] = {
        **SEARCH_SPACE,
        "recency_decay": RECENT_DECAYS,
    }
    starting_points: ClassVar[tuple[Mapping[str, Any], ...]] = with_decays(STARTING_POINTS)


def graph_of(arrays: Arrays, n_items: int) -> sp.csr_array:
    """Return the (n_items, n_items) graph of a fitted model; an empty graph for an unfitted one."""
    return unpack_sparse("graph", arrays) if arrays else sp.csr_array((n_items, n_items))
