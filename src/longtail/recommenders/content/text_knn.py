"""Item neighbours by the cosine of their text vectors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import scipy.sparse as sp
from pydantic import Field

from longtail.arrays import Arrays, pack_sparse, unpack_sparse
from longtail.item_graphs.graphs import append_items, keep_strongest, nearer_than_weakest
from longtail.recommenders.base import RECENT_DECAYS, Decay, TrainingData, with_decays
from longtail.recommenders.neighbours import NeighbourModel


class TextKNN(NeighbourModel):
    """Item neighbours by the cosine of language vectors, which new items have as well."""

    neighbours: int = Field(30, ge=1, le=100, description="Neighbours of each item.")
    sharpness: float = Field(3.0, gt=0, description="Exponent on the cosines.")

    evidence: ClassVar[str] = "how similar its description is to those of your items"
    reads: ClassVar[tuple[str, ...]] = ("text_neighbours",)
    places_items: ClassVar[bool] = True
    search_space: ClassVar[Mapping[str, list[Any] | tuple[float, float]]] = {
        "neighbours": [10, 30, 100],
        "sharpness": [1.0, 3.0, 5.0],
    }
    starting_points: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {"neighbours": 30, "sharpness": 3.0},
        {"neighbours": 100, "sharpness": 3.0},
    )

    def graph(self, data: TrainingData) -> sp.csr_array:
        """Return the graph of the nearest neighbours, weighted by the power of the cosine."""
        graph = keep_strongest(getattr(data.items, self.reads[0]), self.neighbours)
        graph.data **= self.sharpness
        return graph

    def add_items(self, arrays: Arrays, data: TrainingData) -> Arrays:
        """Connect the new items with their neighbours."""
        graph, all_items = unpack_sparse("graph", arrays), getattr(data.items, self.reads[0])
        n_items = graph.shape[0]
        below, beside = all_items[n_items:], all_items[:n_items, n_items:]
        for part in (below, beside):
            part.data **= self.sharpness
        beside = nearer_than_weakest(beside, graph, self.neighbours)
        below = keep_strongest(below, self.neighbours)
        return pack_sparse("graph", append_items(graph, beside, below))


class RecentTextKNN(TextKNN):
    """Text neighbours with recency-weighted histories."""

    recency_decay: Decay = 0.7

    evidence: ClassVar[str] = "how similar its description is to those of your latest items"
    search_space: ClassVar[Mapping[str, list[Any] | tuple[float, float]]] = {
        **TextKNN.search_space,
        "recency_decay": RECENT_DECAYS,
    }
    starting_points: ClassVar[tuple[Mapping[str, Any], ...]] = with_decays(TextKNN.starting_points)


class FrozenTextKNN(RecentTextKNN):
    """Text neighbours by frozen language vectors, not adapted to behaviour."""

    evidence: ClassVar[str] = "how close its description is in meaning to your latest items"
    reads: ClassVar[tuple[str, ...]] = ("frozen_neighbours",)


class TfidfKNN(TextKNN):
    """Item neighbours by the cosine of TF-IDF vectors: text without a language model."""

    recency_decay: Decay = 0.7

    evidence: ClassVar[str] = "the words that its description shares with your items"
    reads: ClassVar[tuple[str, ...]] = ("tfidf_neighbours",)
    # TF-IDF vectors, and so neighbours, exist for the items of the catalogue alone.
    places_items: ClassVar[bool] = False
    search_space: ClassVar[Mapping[str, list[Any] | tuple[float, float]]] = {
        **TextKNN.search_space,
        "recency_decay": [0.5, 0.7, 0.85, 1.0],
    }
    starting_points: ClassVar[tuple[Mapping[str, Any], ...]] = tuple(
        {**point, "recency_decay": decay}
        for point in TextKNN.starting_points
        for decay in (0.7, 1.0)
    )
