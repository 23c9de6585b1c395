"""NDCG on held-out items of validation users, the criterion of every choice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from longtail.arrays import Arrays
from longtail.behaviour.histories import Histories
from longtail.recommenders.base import Recommender, TrainingData
from longtail.top_k import rank_unseen, user_blocks


@dataclass(frozen=True)
class ValidationTargets:
    """Held-out items of validation users.

    Attributes:
        users: (n,) ascending indices of users with a history and a held-out item.
        relevant: (n, n_items) sparse, non-zero where the item was held out.
    """

    users: NDArray[np.int64]
    relevant: sp.csr_array


def validation_targets(
    histories: Histories, held_out: sp.csr_array, max_users: int, seed: int
) -> ValidationTargets:
    """Draw validation users who have a history and at least one held-out item.

    Args:
        histories: the behaviour that models are fitted on.
        held_out: (n_users, n_items) sparse, non-zero where the user chose the item later.
        max_users: if there are more users, this many are drawn without replacement.
        seed: seed of the draw.
    """
    has_history = histories.history_lengths() > 0
    eligible = np.flatnonzero(has_history & (np.diff(held_out.indptr) > 0))
    if len(eligible) > max_users:
        drawn = np.random.default_rng(seed).choice(eligible, max_users, replace=False)
        eligible = np.sort(drawn)
    return ValidationTargets(eligible, held_out[eligible])


def ndcg(items: NDArray[np.int64], relevant: sp.csr_array) -> NDArray[np.float64]:
    """Return (n,) the NDCG@k of each list (binary gain, log2 discount).

    Args:
        items: (n, k) item indices, best first.
        relevant: (n, n_items) sparse, non-zero where relevant; at least one in every row.
    """
    k = items.shape[1]
    rows = np.arange(len(items))[:, None]
    hits = relevant[rows, items].toarray() > 0
    return normalised((hits * discounts(k)).sum(axis=1), relevant, k)


def discounts(k: int) -> NDArray[np.float64]:
    """Return (k,) the gain of a relevant item at each rank: 1 / log2(1 + rank)."""
    gains: NDArray[np.float64] = 1.0 / np.log2(np.arange(2, k + 2))
    return gains


def normalised(gains: NDArray[np.float64], relevant: sp.csr_array, k: int) -> NDArray[np.float64]:
    """Return the NDCG@k of lists, given their discounted gains.

    Args:
        gains: (n,) sums of the discounts at the ranks of relevant items.
        relevant: (n, n_items) sparse, non-zero where relevant; at least one in every row.
        k: length of the lists.
    """
    ideal = np.cumsum(discounts(k))
    values: NDArray[np.float64] = gains / ideal[np.minimum(np.diff(relevant.indptr), k) - 1]
    return values


def validation_ndcg(
    recommender: Recommender,
    arrays: Arrays,
    data: TrainingData,
    targets: ValidationTargets,
    k: int,
) -> float:
    """Return the mean NDCG@k over the validation users; candidates are as in lists."""
    return float(ndcg_by_user(recommender, arrays, data, targets, k).mean())


def ndcg_by_user(
    recommender: Recommender,
    arrays: Arrays,
    data: TrainingData,
    targets: ValidationTargets,
    k: int,
) -> NDArray[np.float64]:
    """Return (n,) the NDCG@k of each validation user."""
    values = []
    for users in user_blocks(targets.users, data.histories.n_items):
        rows = np.searchsorted(targets.users, users)
        scores = recommender.score(arrays, data, users)
        items, _ = rank_unseen(scores, data.histories.unlisted(users), k)
        values.append(ndcg(items, targets.relevant[rows]))
    return np.concatenate(values)
