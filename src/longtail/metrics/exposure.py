r"""Exposure, popularity bias, novelty and diversity of recommendation lists.

Notation: :math:`L_u` is the list of user u cut at k, :math:`n_i` the interactions of item i before
the test period, I the catalogue, U all users with a history. Lists are int arrays (n_users, k) of
item codes, ``NO_ITEM`` after the end of a list. Per-user metrics are undefined (NaN) for empty
lists.
"""

import numpy as np
import pandas as pd
from scipy import sparse, stats

from longtail.metrics.ranking import Hits
from longtail.metrics.tables import HEAD, NO_ITEM, TAIL, GroundTruth, padded

_BIAS_GROUPS = (HEAD, TAIL)


def exposure_counts(lists: np.ndarray, n_items: int) -> np.ndarray:
    """Return the number of lists that contain each item, int64 (n_items,)."""
    return np.bincount(lists[lists != NO_ITEM], minlength=n_items)


def catalog_coverage(counts: np.ndarray) -> float:
    """Share of the catalogue, cold items included, that is in at least one list."""
    return float((counts > 0).mean())


def tail_coverage(counts: np.ndarray, item_group: np.ndarray) -> float:
    """Share of the tail items that are in at least one list; NaN without tail items."""
    tail = item_group == TAIL
    return float((counts[tail] > 0).mean()) if tail.any() else np.nan


def gini(counts: np.ndarray) -> float:
    r""":math:`\sum_j (2j-|I|-1)\, c_{(j)} / (|I| \sum_j c_j)`, counts ascending.

    Over the whole catalogue, items without exposure included; 0 is equal exposure and higher is
    more unequal (as in RecBole and irspack; Elliot reports the complement). Neither scipy nor
    scikit-learn has it.
    """
    total = counts.sum()
    if total == 0:
        return np.nan
    n = len(counts)
    weights = 2.0 * np.arange(1, n + 1) - n - 1
    return float(weights @ np.sort(counts) / (n * total))


def entropy(counts: np.ndarray) -> float:
    r"""Shannon entropy of exposure :math:`-\sum_i p_i \ln p_i` in nats, p from the counts."""
    shown = counts[counts > 0]
    if len(shown) == 0:
        return np.nan
    return float(stats.entropy(shown))


def arp(lists: np.ndarray, interaction_count: np.ndarray) -> np.ndarray:
    r"""Average recommendation popularity per user: the mean :math:`n_i` over the list.

    Yin et al., VLDB 2012; Abdollahpouri et al., FLAIRS 2019. Unit: interactions.
    """
    return _list_mean(interaction_count.astype(np.float64), lists)


def aplt(lists: np.ndarray, item_group: np.ndarray) -> np.ndarray:
    r"""Average percentage of long-tail items per user: :math:`|L_u \cap tail| / |L_u|`.

    Abdollahpouri et al., FLAIRS 2019. Cold items are not in the tail group.
    """
    return _list_mean((item_group == TAIL).astype(np.float64), lists)


def aclt(lists: np.ndarray, item_group: np.ndarray) -> np.ndarray:
    r"""Average count of long-tail items per user: :math:`|L_u \cap tail|`.

    Abdollahpouri et al., FLAIRS 2019. Cold items are not in the tail group.
    """
    counts: np.ndarray = aplt(lists, item_group) * (lists != NO_ITEM).sum(axis=1)
    return counts


def novelty(lists: np.ndarray, interaction_count: np.ndarray, n_history_users: int) -> np.ndarray:
    r"""Mean self-information per user: :math:`-\log_2((n_i+1)/(|U|+1))` over the list, in bits.

    Zhou et al., PNAS 2010, with add-one counts, so that cold items are the most novel.
    """
    information = -np.log2((interaction_count + 1.0) / (n_history_users + 1.0))
    return _list_mean(information, lists)


def intra_list_diversity(lists: np.ndarray, item_vectors: np.ndarray) -> np.ndarray:
    r"""Mean of :math:`1-\cos(e_i, e_j)` over all pairs in a user's list (Ziegler et al., 2005).

    Uses :math:`\sum_{i \ne j} e_i \cdot e_j = |\sum_i e_i|^2 - \sum_i |e_i|^2`, so pairs
    are never enumerated. Items without a vector (all zeros) are left out; undefined (NaN) for lists
    with fewer than two items with a vector.

    Args:
        lists: int (n_users, k), item codes.
        item_vectors: float (n_items, d), not necessarily unit length; zeros for an item without a
            vector.
    """
    units = unit_vectors(item_vectors)
    has_vector = units.any(axis=1)
    membership = _membership(lists, len(units))
    squared_sum = np.empty(len(lists))
    block = max(1, 2**24 // max(units.shape[1], 1))
    for start in range(0, len(lists), block):
        rows = slice(start, start + block)
        squared_sum[rows] = np.square(membership[rows] @ units).sum(axis=1)
    length = membership @ has_vector.astype(np.float64)
    similarity = squared_sum - length
    pairs = length * (length - 1)
    undefined = np.full(len(lists), np.nan)
    diversity: np.ndarray = 1.0 - np.divide(similarity, pairs, out=undefined, where=pairs > 0)
    return diversity


def surprise(hits: Hits, k: int, truth: GroundTruth, item_vectors: np.ndarray) -> np.ndarray:
    r"""Distance of each hit to the user's history, :math:`1 - \max_{j \in H_u} \cos(e_i, e_j)`.

    From 0 to 1, with negative cosines counted as 0; 0 for items without a vector and for hits below
    position k (the content-based unexpectedness of Kaminskas & Bridge, TiiS 2016).

    Args:
        hits: hits for all items.
        k: the largest list length evaluated.
        truth: the encoded ground truth.
        item_vectors: float (n_items, d), not necessarily unit length; zeros for an item without a
            vector.

    Returns:
        float64 (n_hits,).
    """
    within = hits.position < k
    result = np.zeros(len(within))
    result[within] = _distance_to_history(hits.user[within], hits.item[within], truth, item_vectors)
    return result


def serendipity(hits: Hits, surprises: np.ndarray, k: int, truth: GroundTruth) -> np.ndarray:
    """Sum of the surprise of the hits within the first k, divided by k.

    Ge, Delgado-Battenfeld, Jannach, RecSys 2010. Undefined (NaN) for users without a history or
    without anything relevant.

    Args:
        hits: hits for all items.
        surprises: float (n_hits,), see ``surprise``.
        k: list length.
        truth: the encoded ground truth.
    """
    defined = (truth.history_by_group.sum(axis=1) > 0) & (hits.n_relevant > 0)
    return np.where(defined, hits.sum_by_user(surprises, k) / k, np.nan)


def pop_reo(hits: Hits, k: int, users: np.ndarray, truth: GroundTruth) -> float:
    r"""Popularity-rank-based equal opportunity: std / mean of :math:`p_g` over head and tail.

    :math:`p_g = \sum_u |L_u \cap T_u \cap g| / \sum_u |T_u \cap g|`, population standard deviation
    (Zhu et al., SIGIR 2020). 0 is unbiased; NaN if a group has no relevant items or there are no
    hits.

    Args:
        hits: hits for all items.
        k: list length.
        users: bool (n_users,), the users to sum over.
        truth: the encoded ground truth.
    """
    counted = users[hits.user] & (hits.position < k)
    found = _count_groups(truth.item_group[hits.item[counted]])
    relevant_items = truth.relevant_items[users[truth.relevant_users]]
    return _relative_spread(found, _count_groups(truth.item_group[relevant_items]))


def pop_rsp(lists: np.ndarray, users: np.ndarray, truth: GroundTruth) -> float:
    r"""Popularity-rank-based statistical parity: std / mean of :math:`p_g` over head and tail.

    :math:`p_g = \sum_u |L_u \cap g| / \sum_u |g \setminus H_u|` with the history :math:`H_u`,
    population standard deviation (Zhu et al., SIGIR 2020). 0 is unbiased.

    Args:
        lists: int (n_users, k), item codes.
        users: bool (n_users,), the users to sum over.
        truth: the encoded ground truth.
    """
    chosen = lists[users]
    shown = _count_groups(truth.item_group[chosen[chosen != NO_ITEM]])
    sizes = _count_groups(truth.item_group)
    history = truth.history_by_group[users].sum(axis=0)[list(_BIAS_GROUPS)]
    return _relative_spread(shown, sizes * int(users.sum()) - history)


def lorenz_curve(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the cumulative shares of catalogue and exposure, least exposed items first.

    Args:
        counts: int (n_items,), exposure of each item; not all 0.

    Returns:
        Two float64 (n_items + 1,) from 0 to 1 (Lorenz, 1905).
    """
    exposure = np.append(0.0, np.cumsum(np.sort(counts)))
    return np.linspace(0.0, 1.0, len(exposure)), exposure / exposure[-1]


def popularity_deciles(per_item: pd.DataFrame) -> pd.DataFrame:
    """Return recall and exposure per popularity decile of the items.

    Each decile holds a tenth of the warm items, decile 10 the most popular (ties by item_id);
    decile 0 holds the cold items. Recall is hits / test interactions of the decile's items (micro
    average), so all interactions count equally.

    Args:
        per_item: model, item_id, item_group, interaction_count, k, n_recommended, n_relevant,
            n_hits.

    Returns:
        model, k, decile, n_items, least_interactions, most_interactions (per item),
        n_recommended, exposure_share, n_relevant, n_hits, recall (NaN without test interactions).
    """
    by_list = ["model", "k"]
    rows = per_item.sort_values([*by_list, "interaction_count", "item_id"])
    warm = rows["item_group"] != "cold"
    lists = [rows[name] for name in by_list]
    place = warm.groupby(lists).cumsum() - 1
    n_warm = warm.groupby(lists).transform("sum").clip(lower=1)
    rows = rows.assign(decile=np.where(warm, 10 * place // n_warm + 1, 0))
    table = rows.groupby([*by_list, "decile"], sort=False).agg(
        n_items=("item_id", "size"),
        least_interactions=("interaction_count", "min"),
        most_interactions=("interaction_count", "max"),
        n_recommended=("n_recommended", "sum"),
        n_relevant=("n_relevant", "sum"),
        n_hits=("n_hits", "sum"),
    )
    table = table.reset_index()
    exposure = table.groupby(by_list)["n_recommended"].transform("sum").clip(lower=1)
    recall = table["n_hits"] / table["n_relevant"].where(table["n_relevant"] > 0)
    return table.assign(exposure_share=table["n_recommended"] / exposure, recall=recall)


def unit_vectors(item_vectors: np.ndarray) -> np.ndarray:
    """Scale the vectors to unit length; zeros stay zeros."""
    norms = np.linalg.norm(item_vectors, axis=1, keepdims=True)
    units: np.ndarray = np.divide(
        item_vectors, norms, out=np.zeros_like(item_vectors), where=norms > 0
    )
    return units


def _distance_to_history(
    users: np.ndarray, items: np.ndarray, truth: GroundTruth, item_vectors: np.ndarray
) -> np.ndarray:
    """Return 1 - the largest cosine to the user's history for each (user, item), float64."""
    units = unit_vectors(item_vectors)
    bounds = np.searchsorted(truth.history_users, np.arange(truth.n_users + 1))
    lengths = bounds[users + 1] - bounds[users]
    ends = np.cumsum(lengths)
    nearest = np.zeros(len(users), dtype=units.dtype)
    # Each pair needs two vectors in memory.
    block = max(1, 2**23 // max(units.shape[1], 1))
    for first in range(0, int(ends[-1]) if len(ends) else 0, block):
        pairs = np.arange(first, min(first + block, int(ends[-1])))
        pair_of = np.searchsorted(ends, pairs, side="right")
        place = pairs - (ends - lengths)[pair_of] + bounds[users[pair_of]]
        history = truth.history_items[place]
        cosines = np.einsum("ij,ij->i", units[items[pair_of]], units[history])
        np.maximum.at(nearest, pair_of, cosines)
    surprise = 1.0 - nearest.astype(np.float64)
    return np.where(units[items].any(axis=1) & (lengths > 0), surprise, 0.0)


def _count_groups(groups: np.ndarray) -> np.ndarray:
    return np.bincount(groups, minlength=len(_BIAS_GROUPS))[list(_BIAS_GROUPS)]


def _relative_spread(numerator: np.ndarray, denominator: np.ndarray) -> float:
    if (denominator <= 0).any() or not numerator.any():
        return np.nan
    rates = numerator / denominator
    return float(rates.std() / rates.mean())


def _list_mean(item_values: np.ndarray, lists: np.ndarray) -> np.ndarray:
    total = padded(item_values, 0.0)[lists].sum(axis=1)
    length = (lists != NO_ITEM).sum(axis=1)
    undefined = np.full(len(lists), np.nan)
    mean: np.ndarray = np.divide(total, length, out=undefined, where=length > 0)
    return mean


def _membership(lists: np.ndarray, n_items: int) -> sparse.csr_array:
    listed = lists != NO_ITEM
    ends = np.append(0, np.cumsum(listed.sum(axis=1)))
    entries = np.ones(int(ends[-1]), dtype=np.float32)
    return sparse.csr_array((entries, lists[listed], ends), shape=(len(lists), n_items))
