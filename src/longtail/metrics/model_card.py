"""What the card of a model says of its quality: NDCG and tail recall, against the baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

MEASURES = (("ndcg", "all"), ("recall", "tail"))


def quality_of(
    leaderboard: Sequence[dict[str, Any]],
    comparisons: Sequence[dict[str, Any]],
    k: int,
    baseline: str,
) -> list[dict[str, Any]]:
    """Return NDCG and tail recall of the hybrid with their intervals and those of the difference.

    Args:
        leaderboard: rows as ``compare_models`` returns them.
        comparisons: rows as ``compare_models`` returns them.
        k: length of the lists.
        baseline: the model that the hybrid is compared with.

    Returns:
        metric, k, item_group, value, ci_low, ci_high, baseline, baseline_value, difference,
        difference_ci_low, difference_ci_high; no row for a group that the data do not have.
    """
    rows = []
    for metric, group in MEASURES:
        key = {
            "model": "hybrid",
            "metric": metric,
            "k": k,
            "item_group": group,
            "user_group": "all",
        }
        row = _find(leaderboard, key)
        against = _find(comparisons, key | {"baseline": baseline})
        if row:
            of_row = ("metric", "k", "item_group", "value", "ci_low", "ci_high")
            difference = ("difference", "difference_ci_low", "difference_ci_high")
            compared = ("baseline", "baseline_value", *difference)
            own = {name: row[name] for name in of_row}
            rows.append(own | {name: against.get(name) for name in compared})
    return rows


def in_words(row: Mapping[str, Any]) -> str:
    """Return one row of a headline as a phrase: "0.1234 [0.11, 0.13] (als 0.1100, ...)"."""
    interval = _interval(row["ci_low"], row["ci_high"])
    if row["baseline"] is None:
        return f"{row['value']:.4f}{interval}"
    difference = _interval(row["difference_ci_low"], row["difference_ci_high"])
    return (
        f"{row['value']:.4f}{interval} ({row['baseline']} {row['baseline_value']:.4f},"
        f" difference {row['difference']:+.4f}{difference})"
    )


def name_of(row: Mapping[str, Any]) -> str:
    """Return the name of a row of a headline, such as ``recall_at_20.tail``."""
    group = "" if row["item_group"] == "all" else f".{row['item_group']}"
    return f"{row['metric']}_at_{row['k']}{group}"


def _interval(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f" [{low:.4f}, {high:.4f}]"


def _find(table: Sequence[dict[str, Any]], key: dict[str, Any]) -> dict[str, Any]:
    return next((row for row in table if key.items() <= row.items()), {})
