r"""Ranking metrics, computed per user and then averaged.

Notation: :math:`L_u` is the list of user u, :math:`T_u` the relevant items (test interactions),
:math:`rel_r` is 1 where the item at rank r (from 1) is relevant. A user without a list scores 0.
For an item group g, :math:`T_u` shrinks to :math:`T_u \cap g` and the list stays as it is; users
without a relevant item in g are undefined (NaN) and left out of the mean.

With warm candidates only, cold items are removed from the lists and from the relevant items, and
the items below them move up. Lists should therefore be longer than the largest k.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from longtail.metrics.tables import COLD, NO_ITEM, GroundTruth, padded


@dataclass(frozen=True)
class Hits:
    """Relevant items found in the lists, sorted by user and position.

    Attributes:
        user: int64 (n_hits,), user codes.
        position: int64 (n_hits,), position in the list, from 0.
        item: int64 (n_hits,), item codes.
        n_relevant: int64 (n_users,), number of relevant items of each user.
    """

    user: np.ndarray
    position: np.ndarray
    item: np.ndarray
    n_relevant: np.ndarray

    def sum_by_user(self, values: np.ndarray, k: int) -> np.ndarray:
        """Return the sum of a value over each user's hits within the first k, float64."""
        values = np.where(self.position < k, values, 0.0)
        return np.bincount(self.user, weights=values, minlength=len(self.n_relevant))

    def count_by_user(self, k: int) -> np.ndarray:
        """Return the number of each user's hits within the first k, float64."""
        return self.sum_by_user(np.ones(len(self.user)), k)

    def number(self) -> np.ndarray:
        """Return for every hit how many hits its user has up to this position, itself included."""
        per_user = np.bincount(self.user, minlength=len(self.n_relevant))
        starts = np.cumsum(per_user) - per_user
        numbers: np.ndarray = np.arange(1, len(self.user) + 1) - starts[self.user]
        return numbers


def find_hits(lists: np.ndarray, truth: GroundTruth) -> Hits:
    """Look up which listed items are relevant.

    Args:
        lists: int (n_users, length), item codes, ``NO_ITEM`` after the end of a list.
        truth: the encoded ground truth.
    """
    pairs = np.arange(truth.n_users, dtype=np.int64)[:, None] * truth.n_items + lists
    relevant = truth.relevant_pairs
    places = np.minimum(np.searchsorted(relevant, pairs.ravel()), max(len(relevant) - 1, 0))
    found = (relevant[places] == pairs.ravel()).reshape(lists.shape) & (lists != NO_ITEM)
    user, position = np.nonzero(found)
    n_relevant = np.bincount(truth.relevant_users, minlength=truth.n_users)
    return Hits(user, position, lists[user, position].astype(np.int64), n_relevant)


def restrict(hits: Hits, members: np.ndarray, truth: GroundTruth) -> Hits:
    """Restrict the relevant items to some items; the lists do not change.

    Args:
        hits: hits for all items.
        members: bool (n_items,), the items that stay relevant.
        truth: the encoded ground truth.
    """
    stay = members[hits.item]
    relevant_users = truth.relevant_users[members[truth.relevant_items]]
    n_relevant = np.bincount(relevant_users, minlength=truth.n_users)
    return Hits(hits.user[stay], hits.position[stay], hits.item[stay], n_relevant)


def with_warm_candidates_only(hits: Hits, lists: np.ndarray, truth: GroundTruth) -> Hits:
    """Remove cold items from lists and relevant items; the items below them move up."""
    cold = truth.item_group == COLD
    cold_so_far = np.cumsum(padded(cold, False)[lists], axis=1, dtype=np.int32)
    warm_hits = restrict(hits, ~cold, truth)
    moved = warm_hits.position - cold_so_far[warm_hits.user, warm_hits.position]
    return Hits(warm_hits.user, moved, warm_hits.item, warm_hits.n_relevant)


def recall(hits: Hits, k: int) -> np.ndarray:
    r""":math:`|L_u^k \cap T_u| / |T_u|`.

    The denominator counts all relevant items, not min(k, .) (Herlocker et al., TOIS 2004).
    """
    return _ratio(hits.count_by_user(k), hits.n_relevant)


def precision(hits: Hits, k: int) -> np.ndarray:
    r""":math:`|L_u^k \cap T_u| / k`, also where the list is shorter (Herlocker et al., 2004)."""
    return _defined(hits.count_by_user(k) / k, hits)


def hit_rate(hits: Hits, k: int) -> np.ndarray:
    """Return 1 for a user with at least one hit within the first k, else 0 (Deshpande, 2004)."""
    return _defined((hits.count_by_user(k) > 0).astype(np.float64), hits)


def ndcg(hits: Hits, k: int) -> np.ndarray:
    r""":math:`\sum_{r \le k} rel_r/\log_2(r+1) \big/ \sum_{r \le \min(k,|T_u|)} 1/\log_2(r+1)`.

    Binary gain (Järvelin & Kekäläinen, TOIS 2002).
    """
    gain = hits.sum_by_user(1.0 / np.log2(hits.position + 2.0), k)
    ideal = np.append(0.0, np.cumsum(1.0 / np.log2(np.arange(2.0, k + 2.0))))
    return _ratio(gain, ideal[np.minimum(hits.n_relevant, k)])


def mrr(hits: Hits, k: int) -> np.ndarray:
    """One over the rank of the first hit within the first k, 0 without one (Voorhees, 1999)."""
    reciprocal = np.where(hits.number() == 1, 1.0 / (hits.position + 1.0), 0.0)
    return _defined(hits.sum_by_user(reciprocal, k), hits)


def average_precision(hits: Hits, k: int) -> np.ndarray:
    r""":math:`\sum_{r \le k} rel_r \cdot precision_r / \min(k, |T_u|)`; its mean is MAP.

    The denominator is the most hits that a list of length k can have, so a perfect list scores 1
    (Manning et al., Introduction to Information Retrieval, 2008, cut at k).
    """
    gain = hits.sum_by_user(hits.number() / (hits.position + 1.0), k)
    return _ratio(gain, np.minimum(hits.n_relevant, k))


def unbiased_recall(hits: Hits, k: int, truth: GroundTruth) -> np.ndarray:
    r"""Recall in which an item counts :math:`1/p_i`, :math:`p_i = \sqrt{n_i / \max n}`.

    :math:`\sum_{i \in L_u^k \cap T_u} 1/p_i \big/ \sum_{i \in T_u} 1/p_i`: popular items are
    overrepresented in the test interactions because more users are shown them, so they count less
    (self-normalised inverse propensity scoring: Yang, Cui, Xuan, Wang, Belongie, Estrin, RecSys
    2018; the square-root propensity: Saito, Yaginuma, Nishino, Sakata, Nakata, WSDM 2020). A cold
    item counts like one with a single interaction, which bounds its weight.
    """
    counts = np.maximum(truth.interaction_count, 1)
    weights = np.sqrt(counts.max() / counts)
    total = np.bincount(
        truth.relevant_users, weights=weights[truth.relevant_items], minlength=truth.n_users
    )
    return _ratio(hits.sum_by_user(weights[hits.item], k), total)


RANKING_METRICS: dict[str, Callable[[Hits, int], np.ndarray]] = {
    "recall": recall,
    "precision": precision,
    "hit_rate": hit_rate,
    "ndcg": ndcg,
    "mrr": mrr,
    "map": average_precision,
}


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    undefined = np.full(len(numerator), np.nan)
    ratio: np.ndarray = np.divide(numerator, denominator, out=undefined, where=denominator > 0)
    return ratio


def _defined(values: np.ndarray, hits: Hits) -> np.ndarray:
    return np.where(hits.n_relevant > 0, values, np.nan)
