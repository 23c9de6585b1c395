"""Head, tail and cold items; active, quiet and new users."""

import math

import numpy as np
import pandas as pd

TOP_SHARE = 0.2


def item_groups(item_ids: pd.Series, counts: pd.Series) -> pd.DataFrame:
    """Group the items by their interactions before the test period.

    Args:
        item_ids: (n_items,) all item ids, in catalogue order.
        counts: Interactions in train and validation, indexed by item_id; items without may lack.

    Returns:
        item_id, interaction_count int64, item_group: "head" (the top fifth of the items with
        interactions, at least one; ties by item_id), "tail" (the others with interactions) or
        "cold" (none).
    """
    count = _counts_of(item_ids, counts)
    groups = _top_and_rest(item_ids, count, names=("head", "tail", "cold"), at_least=1)
    return pd.DataFrame({"item_id": item_ids, "interaction_count": count, "item_group": groups})


def user_groups(user_ids: pd.Series, counts: pd.Series) -> pd.DataFrame:
    """Group the users by their interactions before the test period.

    Args:
        user_ids: (n_users,) users of all splits, sorted.
        counts: Interactions in train and validation, indexed by user_id; users without may lack.

    Returns:
        user_id, history_length int64, user_group: "active" (the fifth of the users with the
        longest histories; ties by user_id), "quiet" (the others with a history) or "new" (none).
    """
    count = _counts_of(user_ids, counts)
    groups = _top_and_rest(user_ids, count, names=("active", "quiet", "new"), at_least=0)
    return pd.DataFrame({"user_id": user_ids, "history_length": count, "user_group": groups})


def _counts_of(ids: pd.Series, counts: pd.Series) -> np.ndarray:
    return counts.reindex(ids).fillna(0).to_numpy(dtype=np.int64)


def _top_and_rest(
    ids: pd.Series, count: np.ndarray, *, names: tuple[str, str, str], at_least: int
) -> np.ndarray:
    """Name the top fifth of the ids with a count, the rest of them, and those without any."""
    top, rest, none = names
    n_top = max(at_least, math.floor(TOP_SHARE * np.count_nonzero(count)))
    order = np.lexsort((ids.to_numpy(dtype=object).astype(str), -count))
    groups = np.where(count > 0, rest, none).astype(object)
    groups[order[:n_top]] = top
    return groups
