"""The profile of a data set: its long tail, its users' histories, its filled text fields."""

from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import ibis.expr.types as ir
import numpy as np
import pandas as pd

from longtail.behaviour.cleaning.items import TEXT_COLUMNS
from longtail.behaviour.cleaning.parsing import ORDINAL_LIMIT
from longtail.behaviour.groups import item_groups
from longtail.metrics.exposure import gini, lorenz_curve

CURVE_POINTS = 101
RANK_POINTS = 200
HISTORY_BOUNDS = (1, 2, 3, 4, 5, 10, 20, 50, 100, 200, 500, 1000, 5000)
_DAY = 86_400


def profile_data(
    items: ir.Table, pairs: ir.Table, report: dict[str, Any], min_group_size: int = 1
) -> dict[str, Any]:
    """Summarise a data set for people to read; no model uses the result.

    Args:
        items: the catalogue.
        pairs: user_id, item_id, timestamp of all splits, each pair once.
        report: the cleaning report.
        min_group_size: groups with fewer users are left out, to protect individual users.

    Returns:
        Plain JSON: ``totals``, ``lorenz``, ``rank_frequency``, ``history_lengths``, ``months`` (new
        users and items, empty without calendar times), ``filled`` and ``rules``.
    """
    of_item = _per("item_id", pairs).set_index("item_id")
    of_user = _per("user_id", pairs)
    item_ids = items.select("item_id").order_by("item_id").to_pandas()["item_id"]
    counts = of_item["n"].reindex(item_ids).fillna(0).to_numpy(dtype=np.int64)
    lengths = of_user["n"].to_numpy(dtype=np.int64)
    return {
        "totals": _totals(item_ids, counts, lengths, report),
        "lorenz": _lorenz(counts),
        "rank_frequency": _rank_frequency(counts),
        "history_lengths": _history_lengths(lengths, min_group_size),
        "months": _months(pairs, of_user, of_item, min_group_size),
        "filled": _filled(report["items"], len(item_ids)),
        "rules": [
            {"file": file, "rule": rule, "rows": rows}
            for file in ("interactions", "items")
            for rule, rows in report[file]["rejected_by_rule"].items()
        ],
    }


def _per(name: str, pairs: ir.Table) -> pd.DataFrame:
    """Return the number of pairs and the first time of every user or item, sorted by id."""
    counts = pairs.group_by(name).aggregate(n=pairs.count(), first=pairs.timestamp.min())
    table: pd.DataFrame = counts.order_by(name).to_pandas()
    return table


def _totals(
    item_ids: pd.Series, counts: np.ndarray, lengths: np.ndarray, report: dict[str, Any]
) -> dict[str, Any]:
    groups = item_groups(item_ids, pd.Series(counts, index=item_ids))
    n_items = groups.groupby("item_group").size().to_dict()
    n_interactions = groups.groupby("item_group")["interaction_count"].sum().to_dict()
    n_pairs = int(counts.sum())
    return {
        "users": len(lengths),
        "items": len(counts),
        "pairs": n_pairs,
        "rows_in": report["interactions"]["rows_in"],
        "rows_kept": report["interactions"]["rows_kept"],
        "dislikes": report["dislikes"]["test"]["pairs"],
        "dislikes_chosen_later": report["dislikes"]["test"]["chosen_later"],
        "density": n_pairs / (len(lengths) * len(counts)),
        "gini": gini(counts),
        "head_items": int(n_items.get("head", 0)),
        "tail_items": int(n_items.get("tail", 0)),
        "unused_items": int(n_items.get("cold", 0)),
        "head_share": float(n_interactions.get("head", 0)) / n_pairs,
        "tail_share": float(n_interactions.get("tail", 0)) / n_pairs,
        "rare_items": int(((counts > 0) & (counts <= 5)).sum()),
        "median_item_count": float(np.median(counts[counts > 0])),
        "median_history": float(np.median(lengths)),
        "mean_history": float(lengths.mean()),
    }


def _lorenz(counts: np.ndarray) -> dict[str, list[float]]:
    share_of_items, share_of_pairs = lorenz_curve(counts)
    at = np.linspace(0, 1, CURVE_POINTS)
    return {
        "items": at.round(6).tolist(),
        "interactions": np.interp(at, share_of_items, share_of_pairs).round(6).tolist(),
    }


def _rank_frequency(counts: np.ndarray) -> dict[str, list[int]]:
    descending = np.sort(counts[counts > 0])[::-1]
    ranks = np.unique(np.geomspace(1, len(descending), RANK_POINTS).round().astype(np.int64))
    return {"rank": ranks.tolist(), "count": descending[ranks - 1].tolist()}


def _history_lengths(lengths: np.ndarray, min_group_size: int) -> list[dict[str, Any]]:
    bounds = np.array([*HISTORY_BOUNDS, np.iinfo(np.int64).max])
    users = np.bincount(np.searchsorted(bounds, lengths, side="right") - 1, minlength=len(bounds))
    labels = [
        str(low) if high == low + 1 else f"{low}-{high - 1}" for low, high in pairwise(bounds[:-1])
    ]
    rows = zip([*labels, f"{bounds[-2]}+"], users[:-1].tolist(), strict=True)
    return [{"length": label, "users": n} for label, n in rows if n >= max(1, min_group_size)]


def _months(
    pairs: ir.Table, of_user: pd.DataFrame, of_item: pd.DataFrame, min_group_size: int
) -> list[dict[str, Any]]:
    """Count interactions, new users and new items in every month (UTC)."""
    last = pairs.timestamp.max().to_pyarrow().as_py()
    if last is None or last < ORDINAL_LIMIT:
        return []
    days = pairs.group_by(day=pairs.timestamp // _DAY).aggregate(n=pairs.count())
    by_day = days.drop_null("day").order_by("day").to_pandas()
    table = pd.DataFrame(
        {
            "interactions": by_day.groupby(_month_of(by_day["day"] * _DAY))["n"].sum(),
            "new_users": _month_of(of_user["first"]).value_counts(),
            "new_items": _month_of(of_item["first"]).value_counts(),
        }
    )
    table = table.fillna(0).astype(np.int64).sort_index()
    few = table["new_users"].between(1, min_group_size - 1)
    rows = table[~few].rename_axis("month").reset_index().to_dict("records")
    return [{str(name): value for name, value in row.items()} for row in rows]


def _month_of(seconds: pd.Series) -> pd.Series:
    days = (seconds.dropna() // _DAY).astype(np.int64)
    months = {day: datetime.fromtimestamp(day * _DAY, UTC).strftime("%Y-%m") for day in set(days)}
    return days.map(months)


def _filled(items: dict[str, Any], n_items: int) -> dict[str, float]:
    """Return the share of the items with a text (or price) in each field."""
    return {name: items["filled"][name] / n_items for name in (*TEXT_COLUMNS, "price")}
