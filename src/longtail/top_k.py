"""Top-k items of users: blocks of users, top-k of scores, ranking of unseen items."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray

from longtail.progress import progress


def user_blocks(
    users: NDArray[np.int64], n_items: int, label: str | None = None, cells: int = 12_000_000
) -> Iterator[NDArray[np.int64]]:
    """Yield blocks of users with at most ``cells`` dense scores each, with a progress bar."""
    size = max(1, cells // max(1, n_items))
    starts = range(0, len(users), size)
    for start in progress(starts, desc=label, disable=label is None or len(starts) < 2 or None):
        yield users[start : start + size]


def top_items(scores: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """Return (n, min(k, n_items)) item indices, best first; ties go to the lower index."""
    n_items = scores.shape[1]
    k = min(k, n_items)
    # torch.topk is multi-threaded and many times faster than numpy.argpartition.
    values, found = torch.topk(torch.from_numpy(scores), min(k + 1, n_items), dim=1)
    top = found[:, :k].numpy()
    if k < n_items:
        tied = np.flatnonzero((values[:, k - 1] == values[:, k]).numpy())
        above = (values[tied, :k] > values[tied, k - 1 : k]).sum(dim=1).numpy()
        equal = _first_equal(scores, tied, values[tied, k - 1].numpy(), k - above)
        place = np.arange(k) - above[:, None]
        lowest = np.take_along_axis(equal, place.clip(0, equal.shape[1] - 1), axis=1)
        top[tied] = np.where(place < 0, top[tied], lowest)
    top = np.sort(top, axis=1)
    order = np.argsort(-np.take_along_axis(scores, top, axis=1), axis=1, kind="stable")
    return np.take_along_axis(top, order, axis=1)


def _first_equal(
    scores: NDArray[np.float32],
    rows: NDArray[np.int64],
    value: NDArray[np.float32],
    wanted: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Return (len(rows), max(wanted)) the lowest indices at which a row has its value.

    Only the first ``wanted`` entries of a row are valid. They are usually among the first items,
    since sparse scores are 0 almost everywhere, so a growing prefix is searched.
    """
    most, n_items = int(wanted.max(initial=1)), scores.shape[1]
    width = min(4 * most, n_items)
    while True:
        equal = scores[rows, :width] == value[:, None]
        if width == n_items or (equal.sum(axis=1) >= wanted).all():
            break
        width = min(4 * width, n_items)
    before = -torch.arange(width, dtype=torch.float32)
    ranked = torch.where(torch.from_numpy(equal), before, -torch.inf)
    return torch.topk(ranked, most, dim=1).indices.numpy()


def rank_unseen(
    scores: NDArray[np.float32], seen: sp.csr_array, k: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Rank the best k items that may be listed.

    Args:
        scores: (n, n_items) finite scores; modified in place.
        seen: (n, n_items) sparse, with an entry for each item that is not listed.
        k: length of the lists.

    Returns:
        (n, k) item indices and scores, best first; the score is -inf where no item is left.
    """
    rows = np.repeat(np.arange(len(scores)), np.diff(seen.indptr))
    scores[rows, seen.indices] = -np.inf
    items = top_items(scores, k)
    return items, np.take_along_axis(scores, items, axis=1)
