"""Candidates of the hybrid: the best items of every source, with all sources' evidence on them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from longtail.arrays import Arrays
from longtail.models.base import Recommender, TrainingData, top_items, user_blocks


@dataclass(frozen=True)
class FittedModel:
    """A recommender together with the arrays that its ``fit`` returned."""

    recommender: Recommender
    arrays: Arrays


@dataclass(frozen=True)
class Candidates:
    """The candidate items of some users, user after user.

    Attributes:
        users: (n_users,) user indices.
        indptr: (n_users + 1,) the candidates of user u are ``indptr[u]:indptr[u + 1]``.
        items: (n,) item indices, ascending within a user.
        sources: names of the evidence columns.
        evidence: (n, n_sources) float32 standardised scores.
    """

    users: NDArray[np.int64]
    indptr: NDArray[np.int64]
    items: NDArray[np.int64]
    sources: tuple[str, ...]
    evidence: NDArray[np.float32]

    @property
    def rows(self) -> NDArray[np.int64]:
        """Return (n,) the position in ``users`` that each candidate belongs to."""
        return np.repeat(np.arange(len(self.users)), np.diff(self.indptr))


def standardise(
    scores: NDArray[np.float32], rows: NDArray[np.int64], columns: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Centre and scale each user's scores over the catalogue, then damp the extremes.

    ``t = sign(z) log(1 + |z|)``; a user for whom a source knows nothing gets zeros.

    Args:
        scores: (n_users, n_items) scores of the whole catalogue.
        rows: (n,) rows of the scores that are wanted.
        columns: (n,) their columns.

    Returns:
        (n,) the standardised scores.
    """
    spread = scores.std(axis=1)
    centred = scores[rows, columns] - scores.mean(axis=1)[rows]
    z = centred / np.where(spread > 0, spread, 1)[rows]
    return np.sign(z) * np.log1p(np.abs(z))


def _score_and_rank(
    source: FittedModel,
    data: TrainingData,
    users: NDArray[np.int64],
    taken: tuple[NDArray[np.int64], NDArray[np.int64]],
    k: int,
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return a source's scores of the catalogue, and its best k items but those taken."""
    scores = source.recommender.score(source.arrays, data, users)
    known = scores[taken]
    scores[taken] = -np.inf
    best = top_items(scores, k)
    scores[taken] = known
    return scores, best


def _propose_first(
    mask: NDArray[np.bool_],
    order: NDArray[np.int64],
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    k: int,
) -> None:
    """Mark for each user the first k items of an order but those at (rows, columns)."""
    longest = int(np.bincount(rows, minlength=len(mask)).max())
    first = order[: k + longest]
    place = np.full(mask.shape[1], len(first))
    place[first] = np.arange(len(first))
    free = np.ones((len(mask), len(first) + 1), dtype=bool)
    free[rows, place[columns]] = False
    free[:, -1] = False
    user, chosen = (free & (np.cumsum(free, axis=1) <= k)).nonzero()
    mask[user, first[chosen]] = True


@contextmanager
def _pool() -> Iterator[ThreadPoolExecutor]:
    """Yield a worker for each processor.

    Most arithmetic on scores runs on one processor: with a source on each, none is idle. Threads of
    the libraries below them would only wait for each other.
    """
    before = torch.get_num_threads()
    workers = ThreadPoolExecutor(os.cpu_count(), initializer=torch.set_num_threads, initargs=(1,))
    try:
        with threadpool_limits(1, "blas"), workers as pool:
            yield pool
    finally:
        torch.set_num_threads(before)


def _unavailable(
    seen: sp.csr_array, candidates: NDArray[np.bool_] | None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the coordinates of what users have, and of items that may not be proposed."""
    if candidates is not None:
        unavailable = (seen.toarray() > 0) | ~candidates
        return unavailable.nonzero()
    return np.repeat(np.arange(seen.shape[0]), np.diff(seen.indptr)), seen.indices


def find_candidates(
    sources: Mapping[str, FittedModel],
    data: TrainingData,
    users: NDArray[np.int64],
    per_source: int,
    label: str | None = None,
    common: Sequence[NDArray[np.float32]] = (),
    per_common: int = 100,
    candidates: NDArray[np.bool_] | None = None,
) -> Candidates:
    """Unite the best unseen items of every source and read every source's evidence on them.

    Args:
        sources: fitted models by name.
        data: the behaviour that the sources were fitted on.
        users: (n,) ascending user indices.
        per_source: items that each source proposes to each user.
        label: name of the progress bar; None for none.
        common: (n_items,) rankings that are the same for everyone, such as popularity: what a user
            without a history is offered, and what makes every list long enough.
        per_common: items that each of these proposes.
        candidates: (n_items,) items that may be proposed; all by default.
    """
    orders = [np.argsort(-ranking, kind="stable") for ranking in common]
    n_items = data.histories.n_items
    lengths, items, evidence = [], [], []
    with _pool() as pool:
        for block in user_blocks(users, n_items, label, cells=6_000_000):
            taken = _unavailable(data.histories.profiles(block), candidates)
            score = partial(_score_and_rank, data=data, users=block, taken=taken, k=per_source)
            mask = np.zeros((len(block), n_items), dtype=bool)
            scored = []
            for scores, best in pool.map(score, sources.values()):
                np.put_along_axis(mask, best, True, axis=1)
                scored.append(scores)
            for order in orders:
                _propose_first(mask, order, *taken, per_common)
            mask[taken] = False
            lengths.append(mask.sum(axis=1))
            rows, columns = mask.nonzero()
            items.append(columns)
            read = partial(standardise, rows=rows, columns=columns)
            evidence.append(np.stack([*pool.map(read, scored)], axis=1))
    return Candidates(
        users=users,
        indptr=np.concatenate([[0], np.cumsum(np.concatenate(lengths))]),
        items=np.concatenate(items),
        sources=tuple(sources),
        evidence=np.concatenate(evidence).astype(np.float32),
    )
