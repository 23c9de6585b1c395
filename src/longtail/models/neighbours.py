"""Neighbour models: recommend what is close to the items that a user has."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from pydantic import Field

from longtail.arrays import Arrays, pack_sparse, unpack_sparse
from longtail.models.base import Recommender, TrainingData
from longtail.models.graphs import (
    append_items,
    cooccurrence_graph,
    keep_strongest,
    nearer_than_weakest,
)


class NeighbourModel(Recommender):
    """Sum the graph weights from a user's items to each item of the catalogue.

    With a recency decay below 1 an item counts ``decay`` times less for each newer item of the
    user; where the order of interactions is unknown all count alike.
    """

    recency_decay: float = Field(1.0, gt=0, le=1, description="Weight lost per newer item.")

    @abstractmethod
    def graph(self, data: TrainingData) -> sp.csr_array:
        """Return the (n_items, n_items) float32 graph of neighbours."""

    def fit(self, data: TrainingData) -> Arrays:
        """Build the graph."""
        return pack_sparse("graph", self.graph(data))

    def score(
        self, arrays: Arrays, data: TrainingData, users: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return the recency-weighted sum over each user's items."""
        profile = data.histories.profiles(users, self.recency_decay)
        return (profile @ unpack_sparse("graph", arrays)).toarray()


class ItemKNN(NeighbourModel):
    """Item neighbours by co-consumption with shrinkage.

    Sarwar, Karypis, Konstan, Riedl: Item-Based Collaborative Filtering, WWW 2001.
    """

    shrinkage: float = Field(20.0, ge=0, description="Users added to every item's count.")
    neighbours: int = Field(200, ge=1, description="Neighbours kept for each item.")

    evidence: ClassVar[str] = "what is often chosen together with your items"
    search_space: ClassVar[Mapping[str, list[Any] | tuple[float, float]]] = {
        "shrinkage": (0.5, 200.0),
        "neighbours": [50, 100, 200, 400],
    }
    starting_points: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {"shrinkage": 20.0, "neighbours": 200},
        {"shrinkage": 5.0, "neighbours": 200},
    )

    def graph(self, data: TrainingData) -> sp.csr_array:
        """Return the co-consumption graph."""
        return cooccurrence_graph(data.histories.matrix(), self.shrinkage, self.neighbours)

    def add_items(self, arrays: Arrays, data: TrainingData) -> Arrays:
        """Give the items no neighbours: nobody has them."""
        graph = unpack_sparse("graph", arrays)
        graph.resize(data.histories.n_items, data.histories.n_items)
        return pack_sparse("graph", graph)


class TextKNN(NeighbourModel):
    """Item neighbours by the cosine of their language vectors; new items have them too."""

    neighbours: int = Field(30, ge=1, le=100, description="Neighbours of each item.")
    sharpness: float = Field(3.0, gt=0, description="Exponent of the cosine.")

    evidence: ClassVar[str] = "its likeness to your items in words"
    reads: ClassVar[tuple[str, ...]] = ("text_neighbours",)
    search_space: ClassVar[Mapping[str, list[Any] | tuple[float, float]]] = {
        "neighbours": [10, 30, 100],
        "sharpness": [1.0, 3.0, 5.0],
    }
    starting_points: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {"neighbours": 30, "sharpness": 3.0},
        {"neighbours": 100, "sharpness": 3.0},
    )

    def graph(self, data: TrainingData) -> sp.csr_array:
        """Return the graph of the neighbours that the model reads."""
        graph = keep_strongest(getattr(data, self.reads[0]), self.neighbours)
        graph.data **= self.sharpness
        return graph

    def add_items(self, arrays: Arrays, data: TrainingData) -> Arrays:
        """Put the items where their neighbours in the data are."""
        graph, all_items = unpack_sparse("graph", arrays), getattr(data, self.reads[0])
        n_items = graph.shape[0]
        below, beside = all_items[n_items:], all_items[:n_items, n_items:]
        for part in (below, beside):
            part.data **= self.sharpness
        beside = nearer_than_weakest(beside, graph, self.neighbours)
        below = keep_strongest(below, self.neighbours)
        return pack_sparse("graph", append_items(graph, beside, below))


class RecentItemKNN(ItemKNN):
    """Item neighbours by co-consumption, the latest items of a user counting most."""

    recency_decay: float = Field(0.7, gt=0, le=1, description="Weight lost per newer item.")

    evidence: ClassVar[str] = "what is often chosen together with your latest items"
    search_space: ClassVar[Mapping[str, list[Any] | tuple[float, float]]] = {
        **ItemKNN.search_space,
        "recency_decay": [0.5, 0.7, 0.85],
    }
    starting_points: ClassVar[tuple[Mapping[str, Any], ...]] = tuple(
        {**point, "recency_decay": 0.7} for point in ItemKNN.starting_points
    )


class RecentTextKNN(TextKNN):
    """Text neighbours, the latest items of a user counting most."""

    recency_decay: float = Field(0.7, gt=0, le=1, description="Weight lost per newer item.")

    evidence: ClassVar[str] = "its likeness to your latest items in words"
    search_space: ClassVar[Mapping[str, list[Any] | tuple[float, float]]] = {
        **TextKNN.search_space,
        "recency_decay": [0.5, 0.7, 0.85],
    }
    starting_points: ClassVar[tuple[Mapping[str, Any], ...]] = tuple(
        {**point, "recency_decay": 0.7} for point in TextKNN.starting_points
    )


class FrozenTextKNN(RecentTextKNN):
    """Text neighbours by the language vectors as they are, without the lessons of behaviour."""

    evidence: ClassVar[str] = "what its words mean, beside your latest items"
    reads: ClassVar[tuple[str, ...]] = ("frozen_neighbours",)


class TfidfKNN(TextKNN):
    """Item neighbours by the cosine of TF-IDF vectors: what texts give without a language model."""

    recency_decay: float = Field(0.7, gt=0, le=1, description="Weight lost per newer item.")

    evidence: ClassVar[str] = "the words that it shares with your items"
    reads: ClassVar[tuple[str, ...]] = ("tfidf_neighbours",)
    search_space: ClassVar[Mapping[str, list[Any] | tuple[float, float]]] = {
        **TextKNN.search_space,
        "recency_decay": [0.5, 0.7, 0.85, 1.0],
    }
    starting_points: ClassVar[tuple[Mapping[str, Any], ...]] = tuple(
        {**point, "recency_decay": decay}
        for point in TextKNN.starting_points
        for decay in (0.7, 1.0)
    )


def graph_of(arrays: Arrays, n_items: int) -> sp.csr_array:
    """Return the (n_items, n_items) graph of a fitted model; one without edges if it was not."""
    return unpack_sparse("graph", arrays) if arrays else sp.csr_array((n_items, n_items))
