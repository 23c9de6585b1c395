"""Histories of some users: of fitted users, or of items given in requests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from longtail.behaviour.histories import Histories


@dataclass(frozen=True)
class HistoryLookup:
    """Finds or makes the histories of some users.

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

    def user_index(self, user_id: str | None) -> int:
        """Return the index of a user, -1 for an unknown one."""
        return int(self.user_indices([user_id])[0])

    def user_indices(self, user_ids: Sequence[str | None]) -> NDArray[np.int64]:
        """Return the indices of users, -1 for unknown ones."""
        return self._users.get_indexer(pd.Index(user_ids, dtype=object)).astype(np.int64)

    def of_user(self, user: int) -> Histories:
        """Return the history of a user by index, with what the user dislikes."""
        return self.of_users(np.array([user]))

    def of_users(self, users: NDArray[np.int64]) -> Histories:
        """Return the histories of fitted users, who become users 0, 1, ... in this order.

        With what they dislike.
        """
        rows, lengths = _rows_of(self.histories.users, users)
        return self._given(
            lengths,
            self.histories.items[rows],
            self.histories.weights[rows],
            self.histories.timestamps[rows],
            users,
        )

    def of_items(self, item_ids: Sequence[str], user_id: str | None = None) -> Histories:
        """Return a history of the given items, see ``of_lists``."""
        return self.of_lists([item_ids], user_ids=[user_id])

    def of_lists(
        self,
        lists: Sequence[Sequence[str]],
        weights: Sequence[Sequence[float] | None] | None = None,
        user_ids: Sequence[str | None] | None = None,
    ) -> Histories:
        """Return histories of the given items, the latest last.

        Unknown items are ignored; of a repeated item the latest counts. What a user of the log
        dislikes is kept, but for the given items.

        Args:
            lists: item ids of each user.
            weights: of the items of each user; None: all have the median weight of the log.
            user_ids: of each user, None where there is none; None: nobody has one.
        """
        usual = float(np.median(self.histories.weights)) if len(self.histories.weights) else 1.0
        items, strengths, lengths = [], [], []
        for given, own in zip(lists, weights or [None] * len(lists), strict=True):
            latest = dict(zip(given, [usual] * len(given) if own is None else own, strict=True))
            order = list(dict.fromkeys(reversed(given)))[::-1]
            found = self._items.get_indexer(pd.Index(order, dtype=object))
            kept = found >= 0
            items.append(found[kept])
            strengths.append(np.array([latest[item] for item in order], np.float32)[kept])
            lengths.append(int(kept.sum()))
        places = [np.arange(length, dtype=np.float64) for length in lengths]
        return self._given(
            np.array(lengths, dtype=np.int64),
            np.concatenate(items).astype(np.int32),
            np.concatenate(strengths).astype(np.float32),
            np.concatenate(places),
            self.user_indices(user_ids or [None] * len(lists)),
        )

    def item_ids_of(self, user_id: str | None) -> list[str]:
        """Return the items of a user, the latest last; none for an unknown user."""
        user = self.user_index(user_id)
        if user < 0:
            return []
        ids: list[str] = self.histories.item_ids[self.of_user(user).items].tolist()
        return ids

    def unknown_items(self, item_ids: Sequence[str]) -> list[str]:
        """Return the ids that the catalogue does not have, each once."""
        distinct = list(dict.fromkeys(item_ids))
        found = self._items.get_indexer(pd.Index(distinct, dtype=object))
        return [item for item, place in zip(distinct, found, strict=True) if place < 0]

    def _given(
        self,
        lengths: NDArray[np.int64],
        items: NDArray[np.int32],
        weights: NDArray[np.float32],
        timestamps: NDArray[np.float64],
        fitted_users: NDArray[np.int64],
    ) -> Histories:
        """Return histories of users 0, 1, ...; counts of items are those of all histories.

        Args:
            lengths: (n_users,) items of each user.
            items: (n,) their indices, user by user.
            weights: (n,) their weights.
            timestamps: (n,) their times.
            fitted_users: (n_users,) indices in the log, -1 for none, whose dislikes are kept.
        """
        owners = np.repeat(np.arange(len(lengths)), lengths).astype(np.int32)
        rows, n_disliked = _rows_of(self.histories.disliked_users, fitted_users)
        disliked_users = np.repeat(np.arange(len(lengths)), n_disliked)
        disliked_items = self.histories.disliked_items[rows]
        n_items = self.histories.n_items
        chosen = np.isin(
            disliked_users * n_items + disliked_items, owners.astype(np.int64) * n_items + items
        )
        return Histories(
            user_ids=np.arange(len(lengths)).astype(str).astype(object),
            item_ids=self.histories.item_ids,
            users=owners,
            items=items,
            weights=weights,
            timestamps=timestamps,
            disliked_users=disliked_users[~chosen].astype(np.int32),
            disliked_items=disliked_items[~chosen],
            reference=self.histories,
        )


def _rows_of(
    owners: NDArray[np.int32], users: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows of users, one user after the other, and how many each has.

    Args:
        owners: (n,) ascending user of each row.
        users: user indices; -1 has no row.
    """
    starts = np.searchsorted(owners, users)
    lengths = np.searchsorted(owners, users, side="right") - starts
    first = np.repeat(starts - np.concatenate([[0], np.cumsum(lengths)[:-1]]), lengths)
    return (first + np.arange(lengths.sum())).astype(np.int64), lengths.astype(np.int64)
