"""The latest items of a user before a moment, as rows of equal length."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from longtail.behaviour.histories import Histories


@dataclass(frozen=True)
class Sequences:
    """Histories as one tensor of rows, from which sequences of any user and moment are cut.

    Attributes:
        items: (n,) int64 items ordered by user and then by time.
        weights: (n,) float32.
        first: (n_users + 1,) int64 row of each user's first interaction.
    """

    items: Tensor
    weights: Tensor
    first: Tensor

    @classmethod
    def of(cls, histories: Histories) -> Sequences:
        """Return the histories as tensors."""
        first = np.concatenate([[0], np.cumsum(histories.history_lengths())])
        items, weights = histories.items.astype(np.int64), histories.weights
        return cls(*(torch.from_numpy(part) for part in (items, weights, first)))

    def before(self, users: Tensor, ends: Tensor, length: int) -> tuple[Tensor, Tensor]:
        """Return the latest interactions of users before given rows.

        Args:
            users: (n,) user indices.
            ends: (n,) rows that the sequences end before.
            length: longest sequence L.

        Returns:
            (n, L) rows, the newest last, and (n, L) whether there is an interaction; L is the
            longest sequence there is, at least 1.
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
