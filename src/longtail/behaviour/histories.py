"""Histories: past interactions of users, indexed by user and item."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from hashlib import md5

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from longtail.arrays import Arrays, pack_strings, unpack_strings
from longtail.behaviour.cleaning.parsing import ORDINAL_LIMIT


def _none() -> NDArray[np.int32]:
    return np.empty(0, np.int32)


@dataclass(frozen=True)
class Histories:
    """Past interactions in coordinate form, ordered by user and then by time, and past dislikes.

    Interactions of a user with equal or no time are in the random order of a seeded hash, as in the
    split, and never in the order of the catalogue.

    Attributes:
        user_ids: (n_users,) ids; the position is the user index.
        item_ids: (n_items,) ids in catalogue order; the position is the item index.
        users: (n,) int32 user index of each interaction, ascending.
        items: (n,) int32 item index of each interaction.
        weights: (n,) float32 weight of each interaction, above 0.
        timestamps: (n,) float64 unix seconds or ordinal positions; NaN where unknown.
        reference: for histories of users who came after training: the training histories, which
            item counts and the existence of an order are taken from; None: these histories.
        common_cutoff: whether one moment separates past and future for all users. Without it, what
            others did lately may lie after the moment of a user's recommendation.
        disliked_users: (m,) int32 user index of each dislike, ascending.
        disliked_items: (m,) int32 item index of each dislike; none of the user's interactions.
    """

    user_ids: NDArray[np.object_]
    item_ids: NDArray[np.object_]
    users: NDArray[np.int32]
    items: NDArray[np.int32]
    weights: NDArray[np.float32]
    timestamps: NDArray[np.float64]
    reference: Histories | None = None
    common_cutoff: bool = True
    disliked_users: NDArray[np.int32] = field(default_factory=_none)
    disliked_items: NDArray[np.int32] = field(default_factory=_none)

    @property
    def n_users(self) -> int:
        """Number of users in the index, with or without a history."""
        return len(self.user_ids)

    @property
    def n_items(self) -> int:
        """Number of items of the catalogue, with or without interactions."""
        return len(self.item_ids)

    @cached_property
    def has_order(self) -> bool:
        """Whether the order of a user's interactions in time is known."""
        if self.reference is not None:
            return self.reference.has_order
        return len(self.timestamps) > 0 and not bool(np.isnan(self.timestamps).all())

    @property
    def has_calendar_time(self) -> bool:
        """Whether timestamps are calendar times, comparable between users."""
        return (
            self.has_order
            and len(self.timestamps) > 0
            and float(np.nanmax(self.timestamps)) >= ORDINAL_LIMIT
        )

    @property
    def has_time_windows(self) -> bool:
        """Whether the interactions of all users may be counted in windows of time.

        They may where timestamps are calendar times and no window reaches beyond the moment of a
        recommendation.
        """
        known = self if self.reference is None else self.reference
        return known.common_cutoff and self.has_calendar_time

    def matrix(self, values: NDArray[np.float32] | None = None) -> sp.csr_array:
        """Return the (n_users, n_items) float32 matrix of the weights, or of other (n,) values."""
        data = self.weights if values is None else values
        shape = (self.n_users, self.n_items)
        return sp.csr_array((data, (self.users, self.items)), shape=shape, dtype=np.float32)

    def choices(self) -> sp.csr_array:
        """Return the (n_users, n_items) float32 matrix with 1 where a user has an item."""
        return self.matrix(np.ones(len(self.items), np.float32))

    def profiles(self, users: NDArray[np.int64], decay: float = 1.0) -> sp.csr_array:
        """Return the (len(users), n_items) float32 matrix of the weights of some users.

        Its cost depends only on these users' histories, not on the number of other users.

        Args:
            users: (n,) user indices.
            decay: each weight is multiplied by ``decay ** (newer items of the user)`` where the
                order is known.
        """
        starts, ends = self._bounds[users], self._bounds[users + 1]
        indptr = np.concatenate([[0], np.cumsum(ends - starts)])
        place = np.arange(indptr[-1])
        rows = np.repeat(np.arange(len(users)), ends - starts)
        own = place + (starts - indptr[:-1])[rows]
        weights = self.weights[own]
        if self.has_order:
            weights = weights * (decay ** (indptr[1:][rows] - 1 - place)).astype(np.float32)
        matrix = sp.csr_array(
            (weights, self.items[own], indptr), shape=(len(users), self.n_items), dtype=np.float32
        )
        matrix.sum_duplicates()
        return matrix

    def dislikes(self, users: NDArray[np.int64]) -> sp.csr_array:
        """Return (len(users), n_items) float32: 1 where one of some users dislikes an item."""
        starts, ends = (np.searchsorted(self.disliked_users, users + n) for n in (0, 1))
        indptr = np.concatenate([[0], np.cumsum(ends - starts)])
        rows = np.repeat(np.arange(len(users)), ends - starts)
        items = self.disliked_items[np.arange(indptr[-1]) + (starts - indptr[:-1])[rows]]
        ones = np.ones(len(items), dtype=np.float32)
        return sp.csr_array((ones, items, indptr), shape=(len(users), self.n_items))

    def unlisted(self, users: NDArray[np.int64]) -> sp.csr_array:
        """Return (len(users), n_items), above 0 for items that some users have or dislike.

        These never enter a list.
        """
        owned = self.profiles(users)
        return owned + self.dislikes(users) if len(self.disliked_users) else owned

    def item_counts(self) -> NDArray[np.int64]:
        """Return the (n_items,) number of users who have each item."""
        if self.reference is not None:
            return self.reference.item_counts()
        return self._item_counts

    def chosen_items(self) -> NDArray[np.bool_]:
        """Return (n_items,) whether any user has an item."""
        if self.reference is not None:
            return self.reference.chosen_items()
        return self._item_counts > 0

    def history_lengths(self) -> NDArray[np.int64]:
        """Return the (n_users,) number of items that each user has."""
        return np.bincount(self.users, minlength=self.n_users)

    def recency_weights(self, decay: float) -> NDArray[np.float32]:
        """Return (n,) weights ``decay ** (newer interactions of the same user)``.

        All ones where the order is unknown, since there is no recency then.
        """
        if not self.has_order:
            return np.ones(len(self.users), dtype=np.float32)
        last = np.cumsum(self.history_lengths())[self.users] - 1
        return (decay ** (last - np.arange(len(self.users)))).astype(np.float32)

    def recent_counts(self, share: float) -> NDArray[np.int64]:
        """Return the (n_items,) counts within the last ``share`` of the interactions.

        A share of the interactions rather than of the time span, because the recent part of a
        growing log is a small part of its span. Zeros without ``has_time_windows``.
        """
        if self.reference is not None:
            return self.reference.recent_counts(share)
        if share not in self._recent_counts:
            self._recent_counts[share] = self._count_recent(share)
        return self._recent_counts[share]

    def to_arrays(self) -> Arrays:
        """Return the histories as named arrays; a reference is left out."""
        return {
            **pack_strings("user_ids", self.user_ids),
            **pack_strings("item_ids", self.item_ids),
            "users": self.users,
            "items": self.items,
            "weights": self.weights,
            "timestamps": self.timestamps,
            "common_cutoff": np.array([self.common_cutoff]),
            "disliked_users": self.disliked_users,
            "disliked_items": self.disliked_items,
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Histories:
        """Read what ``to_arrays`` returned."""
        return cls(
            user_ids=unpack_strings("user_ids", arrays),
            item_ids=unpack_strings("item_ids", arrays),
            users=arrays["users"],
            items=arrays["items"],
            weights=arrays["weights"],
            timestamps=arrays["timestamps"],
            common_cutoff=bool(arrays["common_cutoff"].all()),
            disliked_users=arrays["disliked_users"],
            disliked_items=arrays["disliked_items"],
        )

    @cached_property
    def _bounds(self) -> NDArray[np.int64]:
        """Return (n_users + 1,): where the interactions of each user begin."""
        return np.searchsorted(self.users, np.arange(self.n_users + 1))

    @cached_property
    def _item_counts(self) -> NDArray[np.int64]:
        return np.bincount(self.items, minlength=self.n_items)

    @cached_property
    def _recent_counts(self) -> dict[float, NDArray[np.int64]]:
        return {}

    def _count_recent(self, share: float) -> NDArray[np.int64]:
        if not self.has_time_windows:
            return np.zeros(self.n_items, dtype=np.int64)
        recent = self.timestamps >= np.nanquantile(self.timestamps, 1 - share)
        return np.bincount(self.items[recent], minlength=self.n_items)


def build_histories(
    interactions: pd.DataFrame,
    user_ids: NDArray[np.object_],
    item_ids: NDArray[np.object_],
    reference: Histories | None = None,
    *,
    common_cutoff: bool = True,
    seed: int = 42,
    dislikes: pd.DataFrame | None = None,
) -> Histories:
    """Index a table of interactions by user and item.

    Args:
        interactions: user_id, item_id, timestamp, weight; each user-item pair once. Where there is
            a column position, it orders a user's interactions with equal or no time.
        user_ids: (n_users,) sorted ids.
        item_ids: (n_items,) sorted ids.
        reference: the training histories, where these are histories of other users.
        common_cutoff: whether one moment separates past and future for all users.
        seed: seed of the order of interactions with equal or no time, the same as for the split.
        dislikes: user_id, item_id of what the users dislike; each user-item pair once.

    Raises:
        ValueError: if an interaction or dislike names a user or item that is not in the index.
    """
    users, items = _indices(interactions, user_ids, item_ids)
    disliked = (_none(), _none())
    if dislikes is not None:
        by_user, by_item = _indices(dislikes, user_ids, item_ids)
        place = np.lexsort((by_item, by_user))
        disliked = (by_user[place].astype(np.int32), by_item[place].astype(np.int32))
    timestamps = interactions["timestamp"].to_numpy(dtype=np.float64, na_value=np.nan)
    times = np.nan_to_num(timestamps, nan=-np.inf)
    if "position" in interactions:
        ties = interactions["position"].to_numpy(dtype=np.int64)
    else:
        ties = _tie_hashes(interactions, users, times, seed)
    order = np.lexsort((ties, times, users))
    return Histories(
        user_ids=user_ids,
        item_ids=item_ids,
        users=users[order].astype(np.int32),
        items=items[order].astype(np.int32),
        weights=interactions["weight"].to_numpy(dtype=np.float32)[order],
        timestamps=timestamps[order],
        reference=reference,
        common_cutoff=common_cutoff,
        disliked_users=disliked[0],
        disliked_items=disliked[1],
    )


def _indices(
    pairs: pd.DataFrame, user_ids: NDArray[np.object_], item_ids: NDArray[np.object_]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the indices of the users and items of a table."""
    users = pd.Index(user_ids).get_indexer(pd.Index(pairs["user_id"]))
    items = pd.Index(item_ids).get_indexer(pd.Index(pairs["item_id"]))
    if (users < 0).any() or (items < 0).any():
        raise ValueError("The interactions contain user or item ids that are not in the index.")
    return users, items


def without_pairs(interactions: pd.DataFrame, dislikes: pd.DataFrame) -> pd.DataFrame:
    """Return the interactions whose user-item pair is none of the dislikes."""
    keys = ["user_id", "item_id"]
    disliked = pd.MultiIndex.from_frame(dislikes[keys])
    pairs = pd.MultiIndex.from_frame(interactions[keys])
    kept: pd.DataFrame = interactions[~pairs.isin(disliked)]
    return kept


def _tie_hashes(
    interactions: pd.DataFrame, users: NDArray[np.intp], times: NDArray[np.float64], seed: int
) -> NDArray[np.uint64]:
    """Return (n,) numbers that order a user's interactions with equal times as the split does.

    The leading half of the hash of ``protocols.rank_per_user``; 0 where the time is unique.
    """
    order = np.lexsort((times, users))
    equal = (np.diff(users[order]) == 0) & (times[order][1:] == times[order][:-1])
    tied = np.union1d(order[1:][equal], order[:-1][equal])
    ids = (interactions[name].to_numpy(dtype=object)[tied] for name in ("user_id", "item_id"))
    hashes = b"".join(md5(f"{u}|{i}|{seed}".encode()).digest() for u, i in zip(*ids, strict=True))
    result = np.zeros(len(users), dtype=np.uint64)
    result[tied] = np.frombuffer(hashes, dtype=">u8")[::2]
    return result
