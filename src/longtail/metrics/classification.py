r"""The lists seen as classifications: accuracy, F1 and AUC.

Accuracy and F1: a user's whole saved list is the candidate set, N items of which m are relevant;
the first k are called relevant and the others not. AUC: the first k are the candidates. Relevant
items that the list lacks are not seen by these metrics, and every model is judged on its own
candidates: they describe one model, the ranking metrics compare models. Users are undefined (NaN)
unless their candidates are both relevant and other items.
"""

from dataclasses import dataclass

import numpy as np

from longtail.metrics.ranking import Hits
from longtail.metrics.tables import NO_ITEM


@dataclass(frozen=True)
class CandidateLists:
    """What the classification metrics count.

    Attributes:
        hits: the relevant items of the lists.
        length: int64 (n_users,), N.
        n_relevant: int64 (n_users,), m.
        both: bool (n_users,), users with relevant and other items in the list.
    """

    hits: Hits
    length: np.ndarray
    n_relevant: np.ndarray
    both: np.ndarray


def candidate_lists(hits: Hits, lists: np.ndarray) -> CandidateLists:
    """Count the items of each list and the relevant ones among them.

    Args:
        hits: hits for all items.
        lists: int (n_users, k), the lists that the hits were found in, or their first places.
    """
    length = (lists != NO_ITEM).sum(axis=1)
    n_relevant = hits.count_by_user(lists.shape[1]).astype(np.int64)
    return CandidateLists(hits, length, n_relevant, (n_relevant > 0) & (n_relevant < length))


def accuracy(candidates: CandidateLists, k: int) -> np.ndarray:
    """(relevant among the first k + others behind them) / N, per user."""
    found = candidates.hits.count_by_user(k)
    called = np.minimum(k, candidates.length)
    wrong = (called - found) + (candidates.n_relevant - found)
    return _where_both(1.0 - wrong / np.maximum(candidates.length, 1), candidates)


def f1(candidates: CandidateLists, k: int) -> np.ndarray:
    """2 (relevant among the first k) / (k + m), per user; k is at most N.

    The harmonic mean of precision and recall within the list (van Rijsbergen, 1979).
    """
    called = np.minimum(k, candidates.length)
    both = np.maximum(called + candidates.n_relevant, 1)
    return _where_both(2.0 * candidates.hits.count_by_user(k) / both, candidates)


def auc(candidates: CandidateLists) -> np.ndarray:
    """Share of pairs of a relevant and another item of the list in the right order, per user.

    The area under the ROC curve (Hanley & McNeil, 1982).
    """
    hits = candidates.hits
    others_above = hits.position + 1 - hits.number()
    above = hits.sum_by_user(others_above.astype(np.float64), int(candidates.length.max(initial=0)))
    pairs = candidates.n_relevant * (candidates.length - candidates.n_relevant)
    return _where_both(1.0 - above / np.maximum(pairs, 1), candidates)


def _where_both(values: np.ndarray, candidates: CandidateLists) -> np.ndarray:
    return np.where(candidates.both, values, np.nan)
