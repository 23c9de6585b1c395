"""Candidates of the hybrid: the best items of each source, with the evidence of all sources."""

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

from longtail.hybrid.parameters import HybridParameters
from longtail.recommenders.base import TrainingData
from longtail.recommenders.fitted_model import FittedModel
from longtail.top_k import top_items, user_blocks

# Candidates that popularity and each trend propose for each user.
PER_COMMON = 100


@dataclass(frozen=True)
class Candidates:
    """The candidate items of some users, grouped by user.

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
        """Return (n,) the position in ``users`` of each candidate's user."""
        return np.repeat(np.arange(len(self.users)), np.diff(self.indptr))


def standardise(
    scores: NDArray[np.float32], rows: NDArray[np.int64], columns: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Standardise each user's scores over the catalogue, then damp extremes.

    ``sign(z) log(1 + |z|)`` of the z-score; zeros for a user whose scores are all equal.

    Args:
        scores: (n_users, n_items) scores of the whole catalogue.
        rows: (n,) rows of the scores to return.
        columns: (n,) their columns.

    Returns:
        (n,) the standardised scores.
    """
    spread = scores.std(axis=1)
    centred = scores[rows, columns] - scores.mean(axis=1)[rows]
    z = centred / np.where(spread > 0, spread, 1)[rows]
    damped: NDArray[np.float32] = np.sign(z) * np.log1p(np.abs(z))
    return damped


def _score_and_rank(
    source: FittedModel,
    data: TrainingData,
    users: NDArray[np.int64],
    excluded: tuple[NDArray[np.int64], NDArray[np.int64]],
    k: int,
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return the scores of the catalogue by a source and its best k items that are not excluded."""
    scores = source.recommender.score(source.arrays, data, users)
    kept = scores[excluded]
    scores[excluded] = -np.inf
    best = top_items(scores, k)
    scores[excluded] = kept
    return scores, best


def _propose_first(
    mask: NDArray[np.bool_],
    order: NDArray[np.int64],
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    k: int,
) -> None:
    """Mark in the mask each user's first k items of an order, without those at (rows, columns)."""
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
    """Yield a thread pool with one worker per processor and single-threaded libraries.

    Scoring is mostly single-threaded, so the sources run in parallel; threads of BLAS and torch
    would only compete with the workers.
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
    """Return the coordinates of items that a user has or dislikes, or that may not be proposed."""
    if candidates is not None:
        unavailable = (seen.toarray() > 0) | ~candidates
        rows, columns = unavailable.nonzero()
        return rows, columns
    return np.repeat(np.arange(seen.shape[0]), np.diff(seen.indptr)), seen.indices


def find_candidates(
    sources: Mapping[str, FittedModel],
    data: TrainingData,
    users: NDArray[np.int64],
    per_source: int,
    label: str | None = None,
    common: Sequence[NDArray[np.float32]] = (),
    per_common: int = PER_COMMON,
    candidates: NDArray[np.bool_] | None = None,
) -> Candidates:
    """Return the union of the best items of all sources, with the evidence of each.

    What a user has or dislikes is no candidate.

    Args:
        sources: fitted models by name.
        data: the behaviour that the sources were fitted on.
        users: (n,) ascending user indices.
        per_source: candidates from each source for each user.
        label: label of the progress bar; None shows none.
        common: (n_items,) scores that are the same for all users, such as popularity: candidates
            for users without a history, and a guarantee that every list is long enough.
        per_common: candidates from each of these for each user.
        candidates: (n_items,) items that may be proposed; all by default.
    """
    orders = [np.argsort(-ranking, kind="stable") for ranking in common]
    n_items = data.histories.n_items
    lengths, items, evidence = [], [], []
    with _pool() as pool:
        for block in user_blocks(users, n_items, label, cells=6_000_000):
            excluded = _unavailable(data.histories.unlisted(block), candidates)
            score = partial(
                _score_and_rank, data=data, users=block, excluded=excluded, k=per_source
            )
            mask = np.zeros((len(block), n_items), dtype=bool)
            scored = []
            for scores, best in pool.map(score, sources.values()):
                np.put_along_axis(mask, best, True, axis=1)
                scored.append(scores)
            for order in orders:
                _propose_first(mask, order, *excluded, per_common)
            mask[excluded] = False
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


def propose(
    sources: Mapping[str, FittedModel],
    data: TrainingData,
    users: NDArray[np.int64],
    parameters: HybridParameters,
    label: str | None = None,
    candidates: NDArray[np.bool_] | None = None,
    at_least: int = 0,
) -> Candidates:
    """Return the candidates from the sources, from popularity and from the trends.

    As many as ``at_least`` for each user, where the user lacks so many items.
    """
    counts = [data.histories.item_counts()]
    counts += [data.histories.recent_counts(share) for share in parameters.trend_shares]
    return find_candidates(
        sources,
        data,
        users,
        parameters.candidates_per_source,
        label,
        common=[ranking.astype(np.float32) for ranking in counts if ranking.any()],
        per_common=max(PER_COMMON, at_least),
        candidates=candidates,
    )


def best_rows(
    candidates: Candidates, scores: NDArray[np.float64], k: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows of each user's k best candidates, best first, and their ranks (from 1)."""
    order = np.lexsort((candidates.items, -scores, candidates.rows))
    rank = np.arange(len(order)) - candidates.indptr[candidates.rows[order]] + 1
    listed = rank <= k
    return order[listed], rank[listed]
