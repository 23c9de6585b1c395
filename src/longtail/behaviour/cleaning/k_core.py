"""The k-core of a behaviour log, and its cost in tail items and quiet users."""

from typing import Any

import ibis.expr.types as ir
import pandas as pd

from longtail.behaviour import groups
from longtail.behaviour.computed import computed


def k_core(pairs: ir.Table, k: int) -> ir.Table:
    """Return the pairs of the k-core: users and items with at least ``k`` pairs within the core.

    Args:
        pairs: user_id, item_id; each pair once.
        k: smallest number of pairs of a user and of an item.
    """
    n_before, n_pairs = -1, _count(pairs)
    while n_pairs not in (n_before, 0):
        for name in ("user_id", "item_id"):
            partners = pairs.group_by(name).aggregate(n=pairs.count())
            pairs = pairs.semi_join(partners.filter(partners.n >= k), name)
        pairs = computed(pairs)
        n_before, n_pairs = n_pairs, _count(pairs)
    return pairs


def describe_cost(pairs: ir.Table, core: ir.Table, k: int) -> dict[str, Any]:
    """Count the pairs, items, users, tail items and quiet users that a k-core removes."""
    users, users_left = _counts(pairs, "user_id"), _counts(core, "user_id")
    items, items_left = _counts(pairs, "item_id"), _counts(core, "item_id")
    item_groups = groups.item_groups(items.index.to_series(), items)
    user_groups = groups.user_groups(users.index.to_series(), users)
    tail = item_groups.loc[item_groups["item_group"] == "tail", "item_id"]
    quiet = user_groups.loc[user_groups["user_group"] == "quiet", "user_id"]
    return {
        "k": k,
        "pairs": int(users.sum()),
        "pairs_lost": int(users.sum() - users_left.sum()),
        "items": len(items),
        "items_lost": len(items) - len(items_left),
        "tail_items": len(tail),
        "tail_items_lost": int((~tail.isin(items_left.index)).sum()),
        "users": len(users),
        "users_lost": len(users) - len(users_left),
        "quiet_users": len(quiet),
        "quiet_users_lost": int((~quiet.isin(users_left.index)).sum()),
    }


def _count(table: ir.Table) -> int:
    return int(table.count().to_pyarrow().as_py())


def _counts(pairs: ir.Table, name: str) -> pd.Series:
    counts = pairs.group_by(name).aggregate(n=pairs.count()).order_by(name)
    column: pd.Series = counts.to_pandas().set_index(name)["n"]
    return column
