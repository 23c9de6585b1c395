"""Head, tail and cold items; active, quiet and new users."""

import math

import numpy as np
import pandas as pd
from numpy.typing import NDArray

TOP_SHARE = 0.2

Masks = dict[str, NDArray[np.bool_]]


def popularity_groups(counts: NDArray[np.int64]) -> Masks:
    """Return masks of head, tail and cold items.

    Args:
        counts: (n_items,) interactions in catalogue order.

    Returns:
        (n_items,) masks "head" (the most popular fifth of the items with interactions, at least one
        item; ties in catalogue order), "tail" (the other items with interactions) and "cold" (the
        items without).
    """
    return _top_and_rest(counts, ("head", "tail", "cold"), at_least=1)


def item_groups(item_ids: pd.Series, counts: pd.Series) -> pd.DataFrame:
    """Group the items by their interactions before the test period.

    Args:
        item_ids: (n_items,) all item ids, in catalogue order.
        counts: interactions in train and validation, indexed by item_id; missing items have none.

    Returns:
        item_id, interaction_count (int64), item_group as in ``popularity_groups``.
    """
    count = _counts_of(item_ids, counts)
    groups = _names(popularity_groups(count))
    return pd.DataFrame({"item_id": item_ids, "interaction_count": count, "item_group": groups})


def user_groups(user_ids: pd.Series, counts: pd.Series) -> pd.DataFrame:
    """Group the users by their interactions before the test period.

    Args:
        user_ids: (n_users,) users of all splits, sorted.
        counts: interactions in train and validation, indexed by user_id; missing users have none.

    Returns:
        user_id, history_length (int64), user_group: "active" (the fifth of the users with the
        longest histories; ties by user_id), "quiet" (the other users with a history) or "new"
        (the users without).
    """
    count = _counts_of(user_ids, counts)
    groups = _names(_top_and_rest(count, ("active", "quiet", "new"), at_least=0))
    return pd.DataFrame({"user_id": user_ids, "history_length": count, "user_group": groups})


def draw_ids(ids: pd.Series, n: int, seed: int) -> list[str]:
    """Draw n ids at random; return them in ascending order, or all ids if there are fewer.

    Args:
        ids: distinct ids in any order.
        n: number of ids to draw.
        seed: seed of the draw.
    """
    eligible = np.sort(ids.to_numpy(dtype=object))
    drawn = np.random.default_rng(seed).permutation(len(eligible))[:n]
    return [str(one) for one in eligible[np.sort(drawn)]]


def _counts_of(ids: pd.Series, counts: pd.Series) -> np.ndarray:
    return counts.reindex(ids).fillna(0).to_numpy(dtype=np.int64)


def _top_and_rest(
    counts: NDArray[np.int64], names: tuple[str, str, str], *, at_least: int
) -> Masks:
    """Return masks of the top fifth of the positive counts, of the rest, and of zero counts."""
    counted = counts > 0
    n_top = max(at_least, math.floor(TOP_SHARE * np.count_nonzero(counted)))
    top = np.zeros(len(counts), dtype=bool)
    top[np.argsort(-counts, kind="stable")[:n_top]] = True
    return dict(zip(names, (top, counted & ~top, ~counted & ~top), strict=True))


def _names(masks: Masks) -> NDArray[np.object_]:
    """Return the name of the mask that holds each entry."""
    return np.select(list(masks.values()), list(masks), "").astype(object)
