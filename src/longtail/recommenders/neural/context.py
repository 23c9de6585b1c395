"""Context features of items at a moment: total count, recent count and novelty."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from longtail.behaviour.histories import Histories

CONTEXT = ("log_count", "log_recent_count", "is_new")


@dataclass(frozen=True)
class ItemContext:
    """Point-in-time counts of items, so that training sees only what was known at the moment.

    Where interactions cannot be counted in windows of time, the moment is ignored: all but the one
    in question count, and none is recent.

    Attributes:
        keys: (n,) sorted ``item * n_moments + moment`` of all interactions.
        moments: (n_moments,) distinct times, ascending; one without windows of time.
        window: length of the recent period, in the unit of the times.
        n_items: number of items in the catalogue.
    """

    keys: NDArray[np.int64]
    moments: NDArray[np.float64]
    window: float
    n_items: int

    @classmethod
    def of(cls, histories: Histories, recent_share: float) -> ItemContext:
        """Sort the interactions by item and time.

        Args:
            histories: past behaviour.
            recent_share: the recent period spans this share of the latest interactions.
        """
        times = comparable_times(histories)
        moments = np.unique(times)
        window = times.max() - np.quantile(times, 1 - recent_share) if len(times) else 0.0
        moment = np.searchsorted(moments, times)
        keys = np.sort(histories.items.astype(np.int64) * (len(moments) + 1) + moment)
        return cls(keys, moments, window, histories.n_items)

    def at(
        self,
        items: NDArray[np.int64],
        times: NDArray[np.float64],
        own: NDArray[np.bool_],
    ) -> NDArray[np.float32]:
        """Return (..., 3) float32 features of items just before given moments, see ``CONTEXT``.

        Args:
            items: item indices of any shape.
            times: moments in that shape, as returned by ``comparable_times``.
            own: in that shape, whether the interaction in question is with this item; it is then
                left out of the count.
        """
        if len(self.moments) < 2:
            count = self._before(items, np.full(items.shape, len(self.moments))) - own
            return _features(count, np.zeros(items.shape, np.int64))
        count = self._before(items, np.searchsorted(self.moments, times))
        older = self._before(items, np.searchsorted(self.moments, times - self.window))
        return _features(count, count - older)

    def now(self) -> NDArray[np.float32]:
        """Return (n_items, 3) float32 features of all items after the last interaction."""
        items = np.arange(self.n_items)
        count = self._before(items, np.full(self.n_items, len(self.moments)))
        if len(self.moments) < 2:
            return _features(count, np.zeros(self.n_items, np.int64))
        start = np.searchsorted(self.moments, self.moments[-1] - self.window)
        older = self._before(items, np.full(self.n_items, start))
        return _features(count, count - older)

    def _before(self, items: NDArray[np.int64], moments: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the number of interactions of the items before the moments."""
        base = items * (len(self.moments) + 1)
        return np.searchsorted(self.keys, base + moments) - np.searchsorted(self.keys, base)


def comparable_times(histories: Histories) -> NDArray[np.float64]:
    """Return (n,) times of the interactions, unknown ones set to the earliest.

    All are 0 where interactions cannot be counted in windows of time: timestamps are ordinal or
    missing, or no cut-off holds for all users.
    """
    if not histories.has_time_windows:
        return np.zeros(len(histories.users))
    return np.nan_to_num(histories.timestamps, nan=np.nanmin(histories.timestamps))


def _features(count: NDArray[np.int64], recent: NDArray[np.int64]) -> NDArray[np.float32]:
    return np.stack([np.log1p(count), np.log1p(recent), count == 0], axis=-1).astype(np.float32)
