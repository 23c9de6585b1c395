"""The latest interactions of users before a given one, as padded rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from longtail.behaviour.histories import Histories


@dataclass(frozen=True)
class Sequences:
    """Histories as tensors, from which the sequence before any interaction is cut.

    Attributes:
        users: (n,) int64 user indices, ascending.
        items: (n,) int64 item indices, in the order of time within a user; one 0 where n is 0, for
            padding to read.
        weights: (n,) float32; one 0 where n is 0.
        first: (n_users + 1,) int64 row of each user's first interaction.
    """

    users: Tensor
    items: Tensor
    weights: Tensor
    first: Tensor

    @classmethod
    def of(cls, histories: Histories) -> Sequences:
        """Return the histories as tensors."""
        first = np.concatenate([[0], np.cumsum(histories.history_lengths())])
        users, items = (ids.astype(np.int64) for ids in (histories.users, histories.items))
        weights = histories.weights
        if len(users) == 0:
            items, weights = np.zeros(1, np.int64), np.zeros(1, np.float32)
        return cls(*map(torch.from_numpy, (users, items, weights, first)))

    @property
    def positions(self) -> Tensor:
        """Return (n,) the number of earlier interactions of the same user."""
        return torch.arange(len(self.users)) - self.first[self.users]

    def before(self, users: Tensor, ends: Tensor, length: int) -> tuple[Tensor, Tensor]:
        """Return the latest interactions of users before given rows.

        Args:
            users: (n,) user indices.
            ends: (n,) rows; a sequence holds the rows of its user before this one.
            length: maximum length of a sequence.

        Returns:
            (n, L) rows, the newest last, and (n, L) whether there is an interaction; L is the
            length of the longest sequence, at least 1.
        """
        start = torch.maximum(self.first[users], ends - length)
        longest = max(1, int((ends - start).max())) if len(ends) else 1
        rows = ends[:, None] - torch.arange(longest, 0, -1)
        present = rows >= start[:, None]
        return torch.where(present, rows, torch.zeros_like(rows)), present

    def latest(self, users: NDArray[np.int64], length: int) -> tuple[Tensor, Tensor]:
        """Return the latest interactions of users, as ``before`` does."""
        index = torch.from_numpy(users)
        return self.before(index, self.first[index + 1], length)


def keep_at_random(present: Tensor, dropped: float, generator: torch.Generator) -> Tensor:
    """Return (n, L) which items of a history are read when a share is dropped.

    The latest item is never dropped.

    Args:
        present: (n, L) whether there is an item, the latest last.
        dropped: share that is dropped.
        generator: generator of the draw.
    """
    kept = torch.rand(present.shape, generator=generator) >= dropped
    kept[:, -1] = True
    return present & kept
