"""Cold-start results: quality on new items alone, and for new users by history length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from longtail.metrics.leaderboard import Row
from longtail.metrics.ranking import RANKING_METRICS
from longtail.metrics.scoring import ALL, WARM_ONLY

COLD, WARM, MIXED, HARMONIC = "cold", "warm", "mixed", "harmonic"


def candidate_pools(leaderboard: Sequence[Row], cold_leaderboard: Sequence[Row]) -> list[Row]:
    """Return the quality of each model by candidate pool, the items that may be recommended.

    ``cold``: only new items, as candidates and as relevant items. ``warm``: only items with
    training interactions, likewise. ``mixed``: the whole catalogue. ``harmonic``: the harmonic mean
    of cold and warm, near zero for a model that is good at only one.

    Args:
        leaderboard: rows of lists drawn from the whole catalogue.
        cold_leaderboard: rows of lists drawn from new items only.

    Returns:
        {model, candidates, metric, k, value, ci_low, ci_high, n_users} over all users with a
        history; the harmonic mean has no interval.
    """
    rows = [
        *_pool(cold_leaderboard, COLD, suffix="", item_group="cold"),
        *_pool(leaderboard, WARM, suffix=WARM_ONLY, item_group=ALL),
        *_pool(leaderboard, MIXED, suffix="", item_group=ALL),
    ]
    return rows + list(_harmonic_means(rows))


def folding_in_rows(leaderboard: Sequence[Row], n_folded_in: int) -> list[Row]:
    """Return the ranking quality for users whom the models were not fitted on.

    Args:
        leaderboard: rows of lists for users folded in with ``n_folded_in`` interactions.
        n_folded_in: number of interactions each user was folded in with.

    Returns:
        {model, n_folded_in, metric, k, item_group, value, ci_low, ci_high, n_users}.
    """
    return [
        {"model": row["model"], "n_folded_in": n_folded_in}
        | {name: value for name, value in row.items() if name not in {"model", "user_group"}}
        for row in leaderboard
        if row["user_group"] == "new" and row["metric"] in RANKING_METRICS
    ]


def _pool(rows: Sequence[Row], pool: str, suffix: str, item_group: str) -> Iterator[Row]:
    for row in rows:
        metric = str(row["metric"]).removesuffix(suffix)
        if (
            row["metric"] == metric + suffix
            and metric in RANKING_METRICS
            and (row["item_group"], row["user_group"]) == (item_group, ALL)
        ):
            kept = {name: row[name] for name in ("k", "value", "ci_low", "ci_high", "n_users")}
            yield {"model": row["model"], "candidates": pool, "metric": metric} | kept


def _harmonic_means(rows: Sequence[Row]) -> Iterator[Row]:
    cold, warm = (
        {_cell(row): row for row in rows if row["candidates"] == pool} for pool in (COLD, WARM)
    )
    for cell in cold.keys() & warm.keys():
        values = float(cold[cell]["value"] or 0), float(warm[cell]["value"] or 0)
        mean = 2 * values[0] * values[1] / sum(values) if sum(values) else 0.0
        users = min(int(side[cell]["n_users"] or 0) for side in (cold, warm))
        yield warm[cell] | {
            "candidates": HARMONIC,
            "value": mean,
            "ci_low": None,
            "ci_high": None,
            "n_users": users,
        }


def _cell(row: Row) -> tuple[str, str, int]:
    return str(row["model"]), str(row["metric"]), int(row["k"] or 0)
