"""Dislikes: user-item pairs with more evidence against than for the item, at a moment in time."""

from typing import Any

import ibis
import ibis.expr.types as ir

from longtail.behaviour.computed import computed
from longtail.behaviour.signals import MILLIONTHS, decayed, millionths

MOMENTS = ("validation", "test")
"""The moments of recommendation: the start of a user's validation and test period."""
END = "end"
"""The end of the log, when a deployed model recommends."""
_KEYS = ("user_id", "item_id")


def find_dislikes(
    events: ir.Table, pairs: ir.Table, starts: ir.Table, half_life_days: float | None
) -> ir.Table:
    """Return the pairs that users dislike at each moment and at the end, by earlier events alone.

    A pair is disliked if the weights of its events sum to 0 or less and one of them is below 0: a
    returned purchase is a dislike, an impression that counts 0 is not. An interaction of the period
    before a moment is no dislike; one of an earlier period may have become one since.

    Args:
        events: user_id, item_id, timestamp, weight (below 0: evidence against the item).
        pairs: user_id, item_id, split of the interactions, each once.
        starts: user_id, validation_start, test_start (null: the user has no such period) and last,
            from which age counts where no period ends. Other users have no later period.
        half_life_days: see ``decayed``.

    Returns:
        user_id, item_id, timestamp (of the latest event against the item, null where unknown),
        weight (float64, the sum, at most 0), known_at ("validation", "test" or "end").
    """
    against = events.filter(events.weight < 0).select(*_KEYS).distinct()
    concerned = events.semi_join(against, list(_KEYS)).left_join(starts, "user_id")
    # One row for each moment, so that all that comes before is read once.
    dated = concerned.drop("user_id_right").mutate(known_at=ibis.array([*MOMENTS, END]).unnest())
    validation_start = ibis.coalesce(dated.validation_start, dated.test_start)
    dated = dated.mutate(
        until=dated.known_at.cases(
            ("validation", validation_start), ("test", dated.test_start), else_=ibis.null("int64")
        )
    )
    summed = _summed(dated, half_life_days)
    period = pairs.split.cases(("train", "validation"), ("validation", "test"), ("test", END))
    interactions = pairs.select(*_KEYS, known_at=period)
    disliked = summed.anti_join(interactions, [*_KEYS, "known_at"])
    columns = (*_KEYS, "timestamp", "weight", "known_at")
    return disliked.select(*columns).order_by(*_KEYS, "known_at").pipe(computed)


def count_dislikes(dislikes: ir.Table, pairs: ir.Table) -> dict[str, Any]:
    """Count the dislikes at each moment, the users who have them, and those chosen afterwards.

    Args:
        dislikes: the result of ``find_dislikes``.
        pairs: user_id, item_id, split of the interactions, each once.
    """
    chosen = pairs.filter(pairs.split.isin(MOMENTS))
    chosen = chosen.select(*_KEYS, known_at=chosen.split, chosen=ibis.literal(1))
    joined = dislikes.left_join(chosen, [*_KEYS, "known_at"])
    counted = joined.group_by("known_at").aggregate(
        pairs=joined.count(), users=joined.user_id.nunique(), chosen_later=joined.chosen.count()
    )
    by_moment = {row.pop("known_at"): row for row in counted.to_pyarrow().to_pylist()}
    nothing = {"pairs": 0, "users": 0, "chosen_later": 0}
    return {moment: by_moment.get(moment, nothing) for moment in MOMENTS}


def _summed(dated: ir.Table, half_life_days: float | None) -> ir.Table:
    """Sum the events before ``until`` (null: all); those of unknown time count as earlier."""
    past = dated.until.isnull() | dated.timestamp.isnull() | (dated.timestamp < dated.until)
    known = dated.filter(past)
    end = ibis.coalesce(known.until, known["last"])
    aged = millionths(decayed(known.weight, known.timestamp, end, half_life_days))
    sums = known.group_by(*_KEYS, "known_at").aggregate(
        evidence=aged.sum(),
        timestamp=known.timestamp.max(where=known.weight < 0),
        against=(known.weight < 0).sum(),
    )
    disliked = sums.filter((sums.evidence <= 0) & (sums.against > 0))
    return disliked.select(
        *_KEYS, "known_at", "timestamp", weight=(disliked.evidence / MILLIONTHS).cast("float64")
    )
