r"""Classification metrics of the lists: accuracy, F1 and AUC.

Accuracy and F1: a user's whole saved list is the candidate set, N items of which m are relevant;
the first k are predicted relevant, the others not. AUC: the first k are the candidates. These
metrics ignore relevant items outside the list, and each model has its own candidates: they
describe a model; use the ranking metrics to compare models. Users are undefined (NaN) unless they
have both relevant and irrelevant candidates.
"""

from dataclasses import dataclass

import numpy as np

from longtail.metrics.ranking import Hits
from longtail.metrics.tables import NO_ITEM


@dataclass(frozen=True)
class CandidateLists:
    """Sizes of the candidate lists and the relevant items in them.

    Attributes:
        hits: the relevant items of the lists.
        length: int64 (n_users,), N.
        n_relevant: int64 (n_users,), m.
        both: bool (n_users,), users with relevant and irrelevant items in the list.
    """

    hits: Hits
    length: np.ndarray
    n_relevant: np.ndarray
    both: np.ndarray


def candidate_lists(hits: Hits, lists: np.ndarray) -> CandidateLists:
    """Count the items and the relevant items of each list.

    Args:
        hits: hits for all items.
        lists: int (n_users, k), the lists that the hits were found in, or their first k items.
    """
    length = (lists != NO_ITEM).sum(axis=1)
    n_relevant = hits.count_by_user(lists.shape[1]).astype(np.int64)
    return CandidateLists(hits, length, n_relevant, (n_relevant > 0) & (n_relevant < length))


def accuracy(candidates: CandidateLists, k: int) -> np.ndarray:
    """(relevant among the first k + irrelevant among the rest) / N, per user."""
    found = candidates.hits.count_by_user(k)
    predicted = np.minimum(k, candidates.length)
    wrong = (predicted - found) + (candidates.n_relevant - found)
    return _where_both(1.0 - wrong / np.maximum(candidates.length, 1), candidates)


def f1(candidates: CandidateLists, k: int) -> np.ndarray:
    """2 (relevant among the first k) / (k + m), per user; k is at most N.

    The harmonic mean of precision and recall within the list (van Rijsbergen, 1979).
    """
    predicted = np.minimum(k, candidates.length)
    total = np.maximum(predicted + candidates.n_relevant, 1)
    return _where_both(2.0 * candidates.hits.count_by_user(k) / total, candidates)


def auc(candidates: CandidateLists) -> np.ndarray:
    """Share of (relevant, irrelevant) pairs of the list in the right order, per user.

    The area under the ROC curve (Hanley & McNeil, 1982).
    """
    hits = candidates.hits
    irrelevant_above = hits.position + 1 - hits.number()
    above = hits.sum_by_user(
        irrelevant_above.astype(np.float64), int(candidates.length.max(initial=0))
    )
    pairs = candidates.n_relevant * (candidates.length - candidates.n_relevant)
    return _where_both(1.0 - above / np.maximum(pairs, 1), candidates)


def _where_both(values: np.ndarray, candidates: CandidateLists) -> np.ndarray:
    return np.where(candidates.both, values, np.nan)
