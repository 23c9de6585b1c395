"""Sampling of negatives: text neighbours, earlier interactions, and what the users have."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from longtail.behaviour.histories import Histories
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

    def rate(self, share: Tensor, draws: int) -> Tensor:
        """Return (n_items,) the probability that ``draw`` returns each item as a neighbour.

        Args:
            share: (n_items,) float64 probability that each item is the one whose neighbours are
                drawn.
            draws: neighbours drawn of that item, with replacement.
        """
        count = self.first.diff().clamp(min=1)
        drawn = share * (1 - (1 - 1 / count) ** draws)
        each = torch.repeat_interleave(drawn, self.first.diff())
        return torch.zeros_like(share).index_add(0, self.items, each)


@dataclass(frozen=True)
class Owned:
    """Which items the users have, so that none of them serves as a negative.

    Attributes:
        n_items: number of items.
        keys: (n,) ascending ``user * n_items + item`` of all that users have.
    """

    n_items: int
    keys: Tensor

    @classmethod
    def of(cls, histories: Histories) -> Owned:
        """Return the items of all users."""
        keys = np.sort(histories.users.astype(np.int64) * histories.n_items + histories.items)
        return cls(histories.n_items, torch.from_numpy(keys))

    def among(self, users: Tensor, items: Tensor) -> Tensor:
        """Return (n, m) whether (n,) users have the (n, m) items, or (m,) that all share."""
        wanted = users[:, None] * self.n_items + items
        place = torch.searchsorted(self.keys, wanted).clamp(max=max(0, len(self.keys) - 1))
        found: Tensor = self.keys[place] == wanted
        return found

    def others(self, users: Tensor, items: Tensor, targets: Tensor) -> Tensor:
        """Return (n, m) whether (n,) users have (m,) items that are not their (n,) targets.

        Args:
            users: (n,) user indices.
            items: (m,) item indices that all users share.
            targets: (n,) positions in ``items`` of the choices to be predicted.
        """
        # The histories of the users are gone through once; a search for every pair takes ten
        # times as long.
        different, place = torch.unique(items, return_inverse=True)
        column = torch.full((self.n_items,), -1)
        column[different] = torch.arange(len(different))
        first, end = torch.searchsorted(self.keys, torch.stack([users, users + 1]) * self.n_items)
        lengths = end - first
        rows = torch.repeat_interleave(torch.arange(len(users)), lengths)
        before = torch.cumsum(lengths, dim=0) - lengths
        keys = self.keys[(first - before)[rows] + torch.arange(len(rows))]
        columns = column[keys - users[rows] * self.n_items]
        there = columns >= 0
        owned = torch.zeros(len(users), len(different), dtype=torch.bool)
        owned[rows[there], columns[there]] = True
        owned = owned[:, place]
        owned[torch.arange(len(users)), targets] = False
        return owned


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
