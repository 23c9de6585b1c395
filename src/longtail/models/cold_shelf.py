"""A reserved shelf: places of each list that are kept for items without interactions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from longtail.models.candidates import Candidates


def rows_with_shelf(
    candidates: Candidates,
    scores: NDArray[np.float64],
    cold: NDArray[np.bool_],
    share: float,
    k: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Rank the candidates so that the first p places hold ``floor(share * p)`` cold items, any p.

    A user's j-th best cold item stands where its score puts it, or at place ``ceil(j / share)`` if
    that comes first; the other items keep their order. With share 0.2 the places 5, 10, 15 are the
    shelf of a list that had no cold item. A user with too few cold candidates has an ordinary list
    below them.

    Args:
        candidates: of some users.
        scores: (n,) of the candidates.
        cold: (n,) whether a candidate is a cold item.
        share: of the places, above 0.
        k: length of the lists.

    Returns:
        The rows of each user's list, best first, their ranks from 1, and their scores: an item that
        was put higher has the score of the next one that was not.
    """
    order = np.lexsort((candidates.items, -scores, candidates.rows))
    start = candidates.indptr[candidates.rows]
    rank = np.arange(len(order)) - start + 1
    is_cold = cold[order]
    before = np.concatenate([[0], np.cumsum(is_cold)])
    nth = (before[1:] - before[start])[is_cold]
    # Rounded first: 3 / 0.3 must not be a little more than 10.
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
    """Return the scores, those on the shelf no lower than the next of the list that is not."""
    n = len(scores)
    following = np.where(on_shelf, n, np.arange(n))
    following = np.minimum.accumulate(following[::-1])[::-1]
    there = following < np.repeat(indptr[1:], np.diff(indptr))
    return np.where(there, np.maximum(scores, scores[np.minimum(following, n - 1)]), scores)
