"""Weighted user-item pairs from events, without looking ahead in time."""

from dataclasses import replace

import ibis
import ibis.expr.types as ir
from ibis import _

from longtail.behaviour.computed import computed
from longtail.behaviour.dislikes import find_dislikes
from longtail.behaviour.protocols import FOLD_IN, Cutoffs, hidden_items, rank_per_user
from longtail.behaviour.signals import MILLIONTHS, Signals, decayed, millionths, saturated
from longtail.behaviour.splits import Assignment, SplitSettings, assign_splits

_KEYS = ("user_id", "item_id")


def split_pairs(events: ir.Table, settings: SplitSettings, signals: Signals | None) -> Assignment:
    """Split the user-item pairs of a log, and weigh each with the events of its own period.

    A pair belongs to the period of its first positive event, and only the events of that period
    count: the weight of a training pair does not depend on what its user did after the cut-off.
    Pairs with more evidence against than for the item in their period are no interactions; pairs
    with as much evidence against before the validation or the test are the dislikes. Hidden items
    and hidden users have none.

    Args:
        events: user_id, item_id, timestamp, weight (below 0: evidence against the item).
        settings: how to split.
        signals: decay and saturation; None: every pair weighs 1.

    Returns:
        The assignment; its interactions are user_id, item_id, timestamp (of the first positive
        event), weight (float64 above 0, mean 1 in train) and split, each pair once. Where users
        have several pairs within one second and ``events`` has a column ``moment``, the column
        position (int64 from 0, in time, per user) keeps their order. Its dislikes are those of
        ``find_dislikes``.
    """
    assignment = assign_splits(first_positive(events), settings)
    pairs = assignment.interactions
    if signals is None:
        weighed = pairs.mutate(weight=ibis.literal(1, type="int64").cast("float64")).pipe(computed)
    else:
        weighed = _weigh(events, _with_period_ends(assignment, settings), signals).pipe(computed)
    visible = events
    if assignment.protocol == "item_cold":
        hidden = hidden_items(pairs, settings.hidden_share, settings.seed)
        visible = visible.anti_join(hidden, "item_id")
    elif assignment.protocol == "user_cold":
        visible = visible.anti_join(pairs.filter(pairs.split == FOLD_IN), "user_id")
    starts = _period_starts(assignment, settings)
    if assignment.cutoffs is not None:
        starts = _common_starts(events, assignment.cutoffs)
    half_life = signals.half_life_days if signals else None
    dislikes = find_dislikes(visible, weighed, starts, half_life)
    return replace(
        assignment, interactions=_with_positions(weighed, pairs, settings), dislikes=dislikes
    )


def _with_positions(weighed: ir.Table, pairs: ir.Table, settings: SplitSettings) -> ir.Table:
    """Add the column position where times alone do not order the pairs of a user."""
    if "moment" not in pairs.columns:
        return weighed
    ranked = rank_per_user(pairs, settings.seed).select(*_KEYS, position=_.position.cast("int64"))
    named = weighed.select(*_KEYS, "timestamp", "weight", "split")
    return named.join(ranked, list(_KEYS)).pipe(computed)


def first_positive(events: ir.Table) -> ir.Table:
    """Return user_id, item_id and the time of the first positive event of every pair with one.

    ``moment`` is kept where it orders pairs of a user within one second.
    """
    positive = events.filter(events.weight > 0)
    names = [name for name in ("timestamp", "moment") if name in events.columns]
    first = positive.group_by(list(_KEYS)).aggregate(
        **{name: positive[name].min() for name in names}
    )
    first = computed(first)
    if "moment" not in names:
        return first
    seconds = first.group_by("user_id", "timestamp").aggregate(n=_.moment.nunique())
    several = seconds.aggregate(any=(seconds.n > 1).any()).to_pyarrow()["any"][0].as_py()
    return first if several else first.drop("moment")


def _period_starts(assignment: Assignment, settings: SplitSettings) -> ir.Table:
    """Return user_id, the starts of the user's periods (null: none) and the last interaction.

    Hidden items are validation or test at any time, so they begin no period; the periods of a user
    are those of the other items.
    """
    pairs = assignment.interactions
    if assignment.protocol == "item_cold":
        hidden = hidden_items(pairs, settings.hidden_share, settings.seed)
        pairs = pairs.anti_join(hidden, "item_id")
    return pairs.group_by("user_id").aggregate(
        validation_start=pairs.timestamp.min(where=pairs.split == "validation"),
        test_start=pairs.timestamp.min(where=pairs.split == "test"),
        last=pairs.timestamp.max(),
    )


def _common_starts(events: ir.Table, cutoffs: Cutoffs) -> ir.Table:
    """Return the same as ``_period_starts`` for all users of the log under one cut-off."""
    users = events.group_by("user_id").aggregate(last=events.timestamp.max())
    return users.mutate(
        validation_start=ibis.literal(cutoffs.validation_start, type="int64"),
        test_start=ibis.literal(cutoffs.test_start, type="int64"),
    )


def _with_period_ends(assignment: Assignment, settings: SplitSettings) -> ir.Table:
    """Add ``until``, when events stop counting (null: never), and ``end``, from which age counts.

    Without a common cut-off a period ends where the same user's next period begins; in a user's
    last period, age counts from the user's last interaction. A folded-in pair counts only up to its
    first event: a short history must not depend on what its user did later.
    """
    pairs = assignment.interactions
    cutoffs = assignment.cutoffs
    if cutoffs is not None:
        ends = [("train", cutoffs.validation_start), ("validation", cutoffs.test_start)]
        until = pairs.split.cases(*ends, else_=ibis.null("int64"))
        return pairs.mutate(until=until, end=until)
    starts = _period_starts(assignment, settings)
    joined = pairs.left_join(starts, "user_id").drop("user_id_right")
    until = ibis.cases(
        (joined.split == "train", ibis.coalesce(joined.validation_start, joined.test_start)),
        (joined.split == "validation", joined.test_start),
        (joined.split == FOLD_IN, joined.timestamp),
        else_=ibis.null("int64"),
    )
    ended = joined.mutate(until=until).drop("validation_start", "test_start")
    return ended.mutate(end=ibis.coalesce(ended.until, ended["last"])).drop("last")


def _weigh(events: ir.Table, pairs: ir.Table, signals: Signals) -> ir.Table:
    """Sum and saturate the events of each pair's period, then scale the mean in train to 1."""
    first = pairs.rename(first="timestamp")
    joined = events.join(first, list(_KEYS))
    within = joined.until.isnull() & (joined.timestamp.notnull() | joined["first"].isnull())
    within |= (joined.timestamp < joined.until) | joined.timestamp.identical_to(joined["first"])
    known = joined.filter(within.fill_null(False))
    aged = decayed(known.weight, known.timestamp, known.end, signals.half_life_days)
    sums = known.group_by(*_KEYS, "first", "split").aggregate(evidence=millionths(aged).sum())
    positive = sums.filter(sums.evidence > 0)
    strength = saturated(positive.evidence / MILLIONTHS, signals.saturation)
    weighed = positive.mutate(weight=millionths(strength)).pipe(computed)
    train = weighed.filter(weighed.split == "train")
    total, n = (
        train.aggregate(total=train.weight.sum(), n=train.count())
        .to_pyarrow()
        .to_pylist()[0]
        .values()
    )
    mean = ibis.literal((total or n or 1) / (n or 1)).cast("float64")
    scaled = (weighed.weight / mean * MILLIONTHS + 0.5).floor() / MILLIONTHS
    return weighed.select(
        *_KEYS,
        timestamp=weighed["first"],
        weight=ibis.greatest(scaled, 1 / MILLIONTHS).cast("float64"),
        split=weighed.split,
    )
