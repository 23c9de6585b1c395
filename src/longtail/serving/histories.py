"""Histories of single users: of a fitted user, or of items given in a request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from longtail.behaviour.histories import Histories


@dataclass(frozen=True)
class HistoryLookup:
    """Finds or makes the history of one user.

    Attributes:
        histories: the histories that the models were fitted on.
    """

    histories: Histories

    @cached_property
    def _users(self) -> pd.Index:
        return pd.Index(self.histories.user_ids)

    @cached_property
    def _items(self) -> pd.Index:
        return pd.Index(self.histories.item_ids)

    @cached_property
    def _empty(self) -> Histories:
        """One user without interactions; counts of items are those of all histories."""
        return Histories(
            user_ids=np.array([""], dtype=object),
            item_ids=self.histories.item_ids,
            users=np.empty(0, np.int32),
            items=np.empty(0, np.int32),
            weights=np.empty(0, np.float32),
            timestamps=np.empty(0, np.float64),
            reference=self.histories,
        )

    def user_index(self, user_id: str | None) -> int:
        """Return the index of a user, -1 for an unknown one."""
        return int(self._users.get_indexer(pd.Index([user_id]))[0])

    def of_user(self, user: int) -> Histories:
        """Return the history of a user by index, with what the user dislikes."""
        rows = slice(*np.searchsorted(self.histories.users, [user, user + 1]))
        return self._one_user(
            self.histories.items[rows],
            self.histories.weights[rows],
            self.histories.timestamps[rows],
            self._dislikes_of(user),
        )

    def of_items(self, item_ids: Sequence[str], user_id: str | None = None) -> Histories:
        """Return a history of the given items, the latest last, each with the median weight.

        Unknown items are ignored; of a repeated item the latest counts. What a known user dislikes
        is kept, but for the given items.
        """
        latest_first = pd.Index(list(dict.fromkeys(reversed(item_ids))), dtype=object)
        found = self._items.get_indexer(latest_first)[::-1]
        items = found[found >= 0].astype(np.int32)
        weight = np.median(self.histories.weights)
        return self._one_user(
            items,
            np.full(len(items), weight, np.float32),
            np.arange(len(items), dtype=np.float64),
            np.setdiff1d(self._dislikes_of(self.user_index(user_id)), items),
        )

    def item_ids_of(self, user_id: str | None) -> list[str]:
        """Return the items of a user, the latest last; none for an unknown user."""
        user = self.user_index(user_id)
        if user < 0:
            return []
        ids: list[str] = self.histories.item_ids[self.of_user(user).items].tolist()
        return ids

    def _one_user(
        self,
        items: NDArray[np.int32],
        weights: NDArray[np.float32],
        timestamps: NDArray[np.float64],
        disliked: NDArray[np.int32],
    ) -> Histories:
        return replace(
            self._empty,
            users=np.zeros(len(items), np.int32),
            items=items,
            weights=weights,
            timestamps=timestamps,
            disliked_users=np.zeros(len(disliked), np.int32),
            disliked_items=disliked,
        )

    def _dislikes_of(self, user: int) -> NDArray[np.int32]:
        """Return the items that a user dislikes, by index; none for the index -1."""
        rows = slice(*np.searchsorted(self.histories.disliked_users, [user, user + 1]))
        return self.histories.disliked_items[rows]
