"""TF-IDF neighbours: what the item texts give without a language model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import scipy.sparse as sp
from pydantic import Field

from longtail.models.base import TrainingData
from longtail.models.graphs import keep_strongest
from longtail.models.neighbours import TextKNN


class TfidfKNN(TextKNN):
    """Item neighbours by the cosine of their TF-IDF vectors (latent semantic indexing)."""

    recency_decay: float = Field(0.7, gt=0, le=1, description="Weight lost per newer item.")

    search_space: ClassVar[Mapping[str, list[Any] | tuple[float, float]]] = {
        **TextKNN.search_space,
        "recency_decay": [0.5, 0.7, 0.85, 1.0],
    }
    starting_points: ClassVar[tuple[Mapping[str, Any], ...]] = tuple(
        {**point, "recency_decay": decay}
        for point in TextKNN.starting_points
        for decay in (1.0, 0.7)
    )

    def graph(self, data: TrainingData) -> sp.csr_array:
        """Return the graph of TF-IDF neighbours."""
        graph = keep_strongest(data.tfidf_neighbours, self.neighbours)
        graph.data **= self.sharpness
        return graph
