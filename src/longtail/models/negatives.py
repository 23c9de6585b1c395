"""Items that were not chosen, to learn the difference from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from longtail.models.graphs import keep_strongest


@dataclass(frozen=True)
class TextNeighbours:
    """The text neighbours of every item, to draw from.

    Attributes:
        first: (n_items + 1,) where the neighbours of each item begin.
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
        """Return a random neighbour of each item, in the same shape, and whether there is one.

        Where there is none, the item itself is returned.
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
        ends: (m,) rows of interactions that are not their users' first.
        position: (m,) how many of the user come before.
        n: rows drawn for each.
        generator: of the draw.
    """
    back = torch.rand((len(ends), n), generator=generator) * position[:, None]
    return ends[:, None] - 1 - back.long()
