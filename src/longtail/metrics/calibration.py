r"""Popularity of the lists compared with the popularity of each user's history.

Popular lists suit a user whose history is popular. These metrics measure how far the popularity of
a list departs from that of the user's history :math:`H_u`, and for which users.

Notation as in :mod:`longtail.metrics.exposure`. Users without a history are undefined (NaN).
"""

import numpy as np

from longtail.metrics.tables import HEAD, NO_ITEM, GroundTruth, padded

TASTE_GROUPS = ("niche", "diverse", "blockbuster")
_NO_TASTE = -1
_HEAD_SHARE, _TAIL_SHARE = 0.2, 0.2
_N_CLASSES = 3


def taste_groups(truth: GroundTruth) -> np.ndarray:
    """Group the users with a history by the share of head items in it.

    The fifth of the users with the smallest share are niche, the fifth with the largest share
    blockbuster, the others diverse; ties by user_id (Abdollahpouri, Mansoury, Burke, Mobasher, RMSE
    2019).

    Returns:
        int8 (n_users,) codes into ``TASTE_GROUPS``, -1 without a history.
    """
    groups = np.full(truth.n_users, _NO_TASTE, dtype=np.int8)
    users = np.flatnonzero(truth.history_by_group.sum(axis=1) > 0)
    history = truth.history_by_group[users]
    by_share = users[np.argsort(history[:, HEAD] / history.sum(axis=1), kind="stable")]
    fifth = len(users) // 5
    groups[by_share] = TASTE_GROUPS.index("diverse")
    groups[by_share[:fifth]] = TASTE_GROUPS.index("niche")
    groups[by_share[len(users) - fifth :]] = TASTE_GROUPS.index("blockbuster")
    return groups


def popularity_classes(interaction_count: np.ndarray) -> np.ndarray:
    """Class the items by popularity: 0 has 20 % of the interactions, 1 has 60 %, 2 the last 20 %.

    Items are sorted by popularity, ties in catalogue order; an item that spans two classes belongs
    to the more popular one. Cold items are in class 2. The classes are head, mid and tail of
    Abdollahpouri, Mansoury, Burke, Mobasher, Malthouse, UMAP 2021.

    Returns:
        int8 (n_items,).
    """
    order = np.argsort(-interaction_count, kind="stable")
    counts = interaction_count[order]
    before = (np.cumsum(counts) - counts) / max(counts.sum(), 1)
    classes = np.empty(len(counts), dtype=np.int8)
    classes[order] = np.searchsorted([_HEAD_SHARE, 1.0 - _TAIL_SHARE], before, side="right")
    return np.where(interaction_count == 0, _N_CLASSES - 1, classes)


def miscalibration(lists: np.ndarray, truth: GroundTruth) -> np.ndarray:
    r"""Jensen-Shannon divergence between the popularity classes of list and history, per user.

    :math:`JSD(P_u, Q_u)` in bits, from 0 (the same shares of the three popularity classes) to 1
    (Steck, RecSys 2018, on popularity as in Abdollahpouri et al., UMAP 2021). NaN without a list.

    Args:
        lists: int (n_users, k), item codes.
        truth: the encoded ground truth.
    """
    classes = popularity_classes(truth.interaction_count)
    history = _class_counts(truth.history_users, classes[truth.history_items], truth.n_users)
    listed = lists != NO_ITEM
    users = np.repeat(np.arange(truth.n_users), listed.sum(axis=1))
    return jensen_shannon(history, _class_counts(users, classes[lists[listed]], truth.n_users))


def upd(miscalibrations: np.ndarray, taste: np.ndarray) -> float:
    r"""User popularity deviation: the mean over the taste groups of their mean miscalibration.

    All groups count equally, whatever their size (Abdollahpouri et al., UMAP 2021). NaN if a group
    has no user with a value.
    """
    groups = [miscalibrations[taste == code] for code in range(len(TASTE_GROUPS))]
    means = [_mean(values) for values in groups]
    return float(np.mean(means))


def profile_popularity(truth: GroundTruth) -> np.ndarray:
    """Mean popularity of the items in each user's history: the share of users who have an item."""
    share = truth.interaction_count / max(truth.n_history_users, 1)
    weights = share[truth.history_items]
    total = np.bincount(truth.history_users, weights=weights, minlength=truth.n_users)
    length = np.bincount(truth.history_users, minlength=truth.n_users)
    return _divide(total, length)


def gap(lists: np.ndarray, users: np.ndarray, truth: GroundTruth) -> float:
    r"""Group average popularity: mean over users of the mean :math:`n_i/|U|` of their lists.

    Abdollahpouri et al., RMSE 2019. NaN without a list.

    Args:
        lists: int (n_users, k), item codes.
        users: bool (n_users,), the group.
        truth: the encoded ground truth.
    """
    return _mean(_list_popularity(lists, truth)[users])


def delta_gap(lists: np.ndarray, users: np.ndarray, truth: GroundTruth) -> float:
    r""":math:`(GAP_{lists} - GAP_{histories}) / GAP_{histories}` of a group of users.

    0: the lists are as popular as the histories; 1: twice as popular (Abdollahpouri et al., RMSE
    2019). Users without a history or a list are left out of both; NaN if none is left.
    """
    listed, chosen = _list_popularity(lists, truth), profile_popularity(truth)
    counted = users & ~np.isnan(listed) & ~np.isnan(chosen)
    before = _mean(chosen[counted])
    return (_mean(listed[counted]) - before) / before if before else np.nan


def jensen_shannon(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the Jensen-Shannon divergence of two distributions per row, in bits (Lin, 1991).

    Not scipy's ``jensenshannon``: it returns the square root, and squaring that is less exact.

    Args:
        first: float (n, n_classes), counts.
        second: float (n, n_classes), counts.

    Returns:
        float64 (n,), NaN where either row has no counts.
    """
    with np.errstate(invalid="ignore"):
        p = first / first.sum(axis=1, keepdims=True)
        q = second / second.sum(axis=1, keepdims=True)
    middle = (p + q) / 2
    divergence: np.ndarray = (_relative_entropy(p, middle) + _relative_entropy(q, middle)) / 2
    return divergence


def _relative_entropy(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    ratio = np.divide(p, q, out=np.ones_like(p), where=p > 0)
    return np.where(np.isnan(p).any(axis=1), np.nan, (p * np.log2(ratio)).sum(axis=1))


def _list_popularity(lists: np.ndarray, truth: GroundTruth) -> np.ndarray:
    share = truth.interaction_count / max(truth.n_history_users, 1)
    total = padded(share, 0.0)[lists].sum(axis=1)
    length = (lists != NO_ITEM).sum(axis=1)
    return _divide(total, length)


def _class_counts(users: np.ndarray, classes: np.ndarray, n_users: int) -> np.ndarray:
    cells = users * _N_CLASSES + classes
    counts = np.bincount(cells, minlength=n_users * _N_CLASSES)
    return counts.reshape(n_users, _N_CLASSES).astype(np.float64)


def _divide(total: np.ndarray, count: np.ndarray) -> np.ndarray:
    mean: np.ndarray = np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0)
    return mean


def _mean(values: np.ndarray) -> float:
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else np.nan
