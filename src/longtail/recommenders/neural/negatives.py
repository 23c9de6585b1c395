"""Sampling of negatives: text neighbours and earlier interactions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from longtail.item_graphs.graphs import keep_strongest


@dataclass(frozen=True)
class TextNeighbours:
    """The text neighbours of each item, to draw from.

    Attributes:
        first: (n_items + 1,) the neighbours of item i are ``items[first[i]:first[i + 1]]``.
        items: (n,) int64 neighbours.
    """

    first: Tensor
    items: Tensor

    @classmethod
    def of(cls, graph: sp.csr_array, neighbours: int) -> TextNeighbours:
        """Keep the strongest neighbours of each item of a graph."""
        strongest = keep_strongest(graph, neighbours)
        parts = (strongest.indptr.astype(np.int64), strongest.indices.astype(np.int64))
        return cls(*map(torch.from_numpy, parts))

    def draw(self, items: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return a random neighbour of each item and whether it has one, in the shape of the items.

        An item without neighbours is returned itself.
        """
        count = self.first[items + 1] - self.first[items]
        place = (torch.rand(items.shape, generator=generator) * count).long()
        there = count > 0
        if len(self.items) == 0:
            return items, there
        found = self.items[(self.first[items] + place).clamp(max=len(self.items) - 1)]
        return torch.where(there, found, items), there


def draw_earlier(ends: Tensor, position: Tensor, n: int, generator: torch.Generator) -> Tensor:
    """Return (m, n) rows of random earlier interactions of the same users.

    Args:
        ends: (m,) rows of interactions, none the first of its user.
        position: (m,) number of earlier interactions of the user.
        n: rows drawn for each.
        generator: generator of the draw.
    """
    back = torch.rand((len(ends), n), generator=generator) * position[:, None]
    return ends[:, None] - 1 - back.long()
