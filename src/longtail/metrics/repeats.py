"""How much results vary over origins in time and seeds."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from longtail.metrics.headlines import WITH_TEXT, WITHOUT_TEXT
from longtail.metrics.leaderboard import HYBRID, Row
from longtail.metrics.scoring import ALL

# What is compared: label, metric, item group; over all users.
HEADLINES = (
    ("NDCG", "ndcg", ALL),
    ("tail recall", "recall", "tail"),
    ("head recall", "recall", "head"),
)


class Repeat(NamedTuple):
    """One run of a repeated study.

    Attributes:
        origin: test periods that were cut off the end of the log.
        seed: 0 for the configured seeds; s adds s to each of them.
        leaderboard: the headlines of its leaderboard.
        comparisons: the headlines of its comparisons.
    """

    origin: int
    seed: int
    leaderboard: Sequence[Row]
    comparisons: Sequence[Row]


def headlines_of(rows: Iterable[Row], k: int) -> list[Row]:
    """Return the rows of a leaderboard or of comparisons that a repeated study compares.

    Args:
        rows: of one run.
        k: list length.
    """
    wanted = {(metric, k, item_group, ALL) for _, metric, item_group in HEADLINES}
    return [
        row
        for row in rows
        if (row["metric"], row["k"], row["item_group"], row["user_group"]) in wanted
    ]


def spread_table(repeats: Sequence[Repeat]) -> list[Row]:
    """Return mean and spread of every model's headlines, for models that every repeat has.

    The spread over origins is the standard deviation (n - 1) over origins with the same seed,
    pooled over seeds: the square root of the mean variance. The spread over seeds is the same with
    origins and seeds exchanged.

    Args:
        repeats: one for each origin and seed.

    Returns:
        rows {model, metric, k, item_group, mean, sd_origins, sd_seeds, low, high, ci_low, ci_high,
        n_repeats}; low and high are the extremes over the repeats, ci_low and ci_high the interval
        over users of the first repeat; None where undefined.
    """
    first = _first(repeats)
    tables = [_by_key(repeat.leaderboard) for repeat in repeats]
    rows: list[Row] = []
    for key, row in _by_key(first.leaderboard).items():
        if all(key in table for table in tables):
            values = np.array([table[key]["value"] for table in tables], dtype=np.float64)
            rows.append(
                {
                    **_name(row),
                    "mean": float(values.mean()),
                    "sd_origins": _pooled_sd(values, [repeat.seed for repeat in repeats]),
                    "sd_seeds": _pooled_sd(values, [repeat.origin for repeat in repeats]),
                    "low": float(values.min()),
                    "high": float(values.max()),
                    "ci_low": row["ci_low"],
                    "ci_high": row["ci_high"],
                    "n_repeats": len(repeats),
                }
            )
    return rows


def difference_table(repeats: Sequence[Repeat], others: Iterable[str]) -> list[Row]:
    """Return by how much the hybrid exceeds other models, over the repeats.

    Args:
        repeats: one for each origin and seed.
        others: the models that it is compared with.

    Returns:
        rows {model, other, metric, k, item_group, mean, low, high, n_same_sign, n_repeats, ci_low,
        ci_high}; n_same_sign counts the repeats whose difference has the sign of the mean; ci_low
        and ci_high are the interval over users of the first repeat.
    """
    first = _first(repeats)
    tables = [_by_key(repeat.leaderboard) for repeat in repeats]
    intervals = {(row["baseline"], *_key(row)): row for row in first.comparisons}
    rows: list[Row] = []
    for other in others:
        for _, metric, item_group in HEADLINES:
            own, theirs = (HYBRID, metric, item_group), (other, metric, item_group)
            if not all(own in table and theirs in table for table in tables):
                continue
            pairs = [(table[own]["value"], table[theirs]["value"]) for table in tables]
            values = np.array(pairs, dtype=np.float64)
            differences = values[:, 0] - values[:, 1]
            mean = float(differences.mean())
            compared = intervals.get((other, *own), {})
            rows.append(
                {
                    "model": HYBRID,
                    "other": other,
                    "metric": metric,
                    "k": tables[0][own]["k"],
                    "item_group": item_group,
                    "mean": mean,
                    "low": float(differences.min()),
                    "high": float(differences.max()),
                    "n_same_sign": int((differences * mean > 0).sum()),
                    "n_repeats": len(repeats),
                    "ci_low": compared.get("difference_ci_low"),
                    "ci_high": compared.get("difference_ci_high"),
                }
            )
    return rows


def roles(spreads: Sequence[Row], baseline: str, with_text: Collection[str]) -> dict[str, str]:
    """Return the models that are shown, by role; a model can have two roles.

    The best model is the one of the highest mean NDCG over the repeats.

    Args:
        spreads: rows of ``spread_table``.
        baseline: the model that the others are compared with.
        with_text: names of the models that read text.
    """
    quality = {
        str(row["model"]): float(row["mean"] or 0)
        for row in spreads
        if (row["metric"], row["item_group"]) == ("ndcg", ALL)
    }
    single = [model for model in quality if model != HYBRID]
    kinds: Mapping[str, list[str]] = {
        WITHOUT_TEXT: [model for model in single if model not in with_text],
        WITH_TEXT: [model for model in single if model in with_text],
    }
    found = {role: max(models, key=quality.__getitem__) for role, models in kinds.items() if models}
    fixed = {HYBRID: HYBRID, "baseline": baseline}
    return {role: model for role, model in fixed.items() if model in quality} | found


def _first(repeats: Sequence[Repeat]) -> Repeat:
    """Return the repeat of the lowest origin and seed."""
    return min(repeats, key=lambda repeat: (repeat.origin, repeat.seed))


def _pooled_sd(values: np.ndarray, groups: Sequence[int]) -> float | None:
    """Return the root of the mean variance (n - 1) within groups of at least two, else None."""
    labels = np.array(groups)
    within = [values[labels == label] for label in np.unique(labels)]
    variances = [group.var(ddof=1) for group in within if len(group) > 1]
    return float(np.sqrt(np.mean(variances))) if variances else None


def _key(row: Row) -> tuple[str, str, str]:
    return str(row["model"]), str(row["metric"]), str(row["item_group"])


def _by_key(rows: Iterable[Row]) -> dict[tuple[str, str, str], Row]:
    return {_key(row): row for row in rows if row["value"] is not None}


def _name(row: Row) -> Row:
    return {name: row[name] for name in ("model", "metric", "k", "item_group")}
