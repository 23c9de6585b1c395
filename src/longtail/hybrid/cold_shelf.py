"""The cold shelf: ranks of each list that are reserved for items without interactions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from longtail.hybrid.candidates import Candidates


def rows_with_shelf(
    candidates: Candidates,
    scores: NDArray[np.float64],
    cold: NDArray[np.bool_],
    share: float,
    k: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Rank the candidates so that the top p ranks hold at least ``floor(share * p)`` cold items.

    The j-th best cold item of a user stands at the rank of its score, or at rank
    ``ceil(j / share)`` if that is higher up; the other items keep their order. With share 0.2, a
    list without cold items gets one at ranks 5, 10, 15, and so on, as long as the user has cold
    candidates.

    Args:
        candidates: of some users.
        scores: (n,) of the candidates.
        cold: (n,) whether a candidate is a cold item.
        share: reserved share of the ranks, above 0.
        k: length of the lists.

    Returns:
        The rows of each user's list, best first, their ranks (from 1), and their scores; an item
        that was moved up takes the score of the next item that was not.
    """
    order = np.lexsort((candidates.items, -scores, candidates.rows))
    start = candidates.indptr[candidates.rows]
    rank = np.arange(len(order)) - start + 1
    is_cold = cold[order]
    before = np.concatenate([[0], np.cumsum(is_cold)])
    nth = (before[1:] - before[start])[is_cold]
    # Rounded first, since 3 / 0.3 is slightly above 10 in floating point.
    due = np.ceil(np.round(nth / share, 9)).astype(np.int64)
    on_shelf = np.zeros(len(order), dtype=bool)
    place = start[is_cold] + np.minimum(rank[is_cold], due) - 1
    on_shelf[place] = True
    arranged = np.empty_like(order)
    arranged[place], arranged[~on_shelf] = order[is_cold], order[~is_cold]
    raised = _raised(scores[arranged], on_shelf, candidates.indptr)
    listed = rank <= k
    return arranged[listed], rank[listed], raised[listed]


def _raised(
    scores: NDArray[np.float64], on_shelf: NDArray[np.bool_], indptr: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the scores, with those on the shelf raised to the next score that is not."""
    n = len(scores)
    following = np.where(on_shelf, n, np.arange(n))
    following = np.minimum.accumulate(following[::-1])[::-1]
    there = following < np.repeat(indptr[1:], np.diff(indptr))
    return np.where(there, np.maximum(scores, scores[np.minimum(following, n - 1)]), scores)
