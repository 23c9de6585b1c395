"""Splits into training, validation and test interactions."""

import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from longtail.errors import UserError

Protocol = Literal["temporal", "per_user", "item_cold", "user_cold"]
ProtocolChoice = Literal["auto", "temporal", "per_user", "item_cold", "user_cold"]

SPLITS = ("train", "validation", "test")
FOLD_IN = "fold_in"
"""Split of the short histories of hidden users, which no model is fitted on."""
VALIDATION_QUANTILE = 0.8
TEST_QUANTILE = 0.9
POPULARITY_STRATA = 10


@dataclass(frozen=True)
class SplitSettings:
    """How interactions are split.

    Attributes:
        protocol: "auto" is temporal when every interaction has a calendar time and enough users can
            be evaluated that way, else per user.
        earliest: First plausible unix second; smaller numbers are positions, not times.
        seed: Seed of the hash that orders interactions with equal or without time, and that draws
            hidden items and users.
        min_evaluated_users: Users with a history that "auto" wants to evaluate on the validation
            and on the test period before it is temporal.
        hidden_share: Share of the items hidden for the test, and as many for validation, under
            "item_cold"; share of the users hidden for the test under "user_cold".
        fold_in: Lengths of the histories with which hidden users are evaluated under "user_cold".
    """

    protocol: ProtocolChoice
    earliest: int
    seed: int
    min_evaluated_users: int = 1
    hidden_share: float = 0.1
    fold_in: tuple[int, ...] = (0, 1, 3, 5, 10)


@dataclass(frozen=True)
class Cutoffs:
    """First time of the validation and of the test period, in the unit of ``timestamp``."""

    validation_start: int
    test_start: int


@dataclass(frozen=True)
class Assignment:
    """Interactions with a column ``split`` and how it was made.

    Attributes:
        interactions: The interactions with ``split`` in {"train", "validation", "test"}, and
            "fold_in" under "user_cold".
        protocol: "temporal", "per_user", "item_cold" or "user_cold".
        reason: Sentence that says why this protocol.
        has_order: Whether any interaction has a time or position.
        cutoffs: Starts of the periods under "temporal", else None.
    """

    interactions: ir.Table
    protocol: Protocol
    reason: str
    has_order: bool
    cutoffs: Cutoffs | None


def assign_splits(interactions: ir.Table, settings: SplitSettings) -> Assignment:
    """Put every interaction into train, validation or test.

    Args:
        interactions: user_id, item_id, timestamp (int64 or null); every user-item pair once.
        settings: How to split.
    """
    timestamp = interactions.timestamp
    facts = interactions.aggregate(
        rows=interactions.count(),
        timed=timestamp.count(),
        real=(timestamp >= settings.earliest).sum(),
    )
    found = {name: values[0] or 0 for name, values in facts.to_pyarrow().to_pydict().items()}
    has_order = found["timed"] > 0
    protocol = settings.protocol
    if protocol == "auto" and found["real"] < found["rows"]:
        untimed = f"{found['rows'] - found['real']} of {found['rows']} interactions"
        return _without_cutoffs(
            interactions, "per_user", settings, has_order, f"{untimed} have no calendar time."
        )
    if protocol not in {"auto", "temporal"}:
        return _without_cutoffs(interactions, protocol, settings, has_order, "It was asked for.")
    cutoffs = temporal_cutoffs(interactions)
    temporal = Assignment(
        assign_temporal(interactions, cutoffs), "temporal", "It was asked for.", has_order, cutoffs
    )
    if protocol == "temporal":
        return temporal
    enough, users = _enough_users(temporal, settings.min_evaluated_users)
    if enough:
        return replace(temporal, reason=users)
    return _without_cutoffs(interactions, "per_user", settings, has_order, users)


def _without_cutoffs(
    interactions: ir.Table,
    protocol: str,
    settings: SplitSettings,
    has_order: bool,
    reason: str,
) -> Assignment:
    """Split by one of the protocols that know no common point in time."""
    if protocol == "per_user":
        split = assign_per_user(interactions, settings.seed)
        return Assignment(split, "per_user", reason, has_order, None)
    if protocol == "item_cold":
        split = assign_item_cold(interactions, settings.hidden_share, settings.seed)
        return Assignment(split, "item_cold", reason, has_order, None)
    split = assign_user_cold(interactions, settings)
    return Assignment(split, "user_cold", reason, has_order, None)


def _enough_users(temporal: Assignment, wanted: int) -> tuple[bool, str]:
    """Tell whether a temporal split evaluates enough users, in a sentence too."""
    users = count_evaluation(temporal, n_items=0)
    test, validation = users["evaluated_users"], users["validation_users"]
    periods = (
        f"{test} users with a history can be evaluated on the test period and {validation} on the "
        "validation period of a temporal split"
    )
    if min(test, validation) >= wanted:
        return True, f"{periods}."
    return False, f"Only {periods}; at least {wanted} are wanted."


def temporal_cutoffs(interactions: ir.Table) -> Cutoffs:
    """Return the 80 % and 90 % quantiles of the times, linearly interpolated and rounded up.

    Rounding up changes no assignment: times are integers and a period starts at its cut-off.
    """
    time = interactions.timestamp.cast("float64")
    quantiles = time.quantile([VALIDATION_QUANTILE, TEST_QUANTILE]).to_pyarrow().as_py()
    return Cutoffs(*map(math.ceil, quantiles))


def assign_temporal(interactions: ir.Table, cutoffs: Cutoffs) -> ir.Table:
    """Add ``split``: train < validation start <= validation < test start <= test."""
    time = interactions.timestamp
    return interactions.mutate(
        split=ibis.cases(
            (time >= cutoffs.test_start, "test"),
            (time >= cutoffs.validation_start, "validation"),
            else_="train",
        )
    )


def assign_per_user(interactions: ir.Table, seed: int) -> ir.Table:
    """Add ``split``: of n interactions in order of time a user's last 20 % test, 10 % before them.

    n_test = max(1, floor(0.2 n + 0.5)), n_validation = max(1, floor(0.1 n + 0.5)); users with
    fewer than 3 interactions only train, users with fewer than 5 have no validation.
    """
    ranked = _rank_per_user(interactions, seed)
    n = ranked.n
    n_test = ibis.ifelse(n < 3, 0, ibis.greatest(1, (2 * n + 5) // 10))
    split = ibis.cases(
        (ranked.position >= n - n_test, "test"),
        (ranked.position >= n - n_test - _n_validation(n), "validation"),
        else_="train",
    )
    return ranked.mutate(split=split).drop("position", "n")


def _n_validation(n: ir.IntegerValue) -> ir.IntegerValue:
    return ibis.ifelse(n < 5, 0, ibis.greatest(1, (n + 5) // 10))


def assign_item_cold(interactions: ir.Table, hidden_share: float, seed: int) -> ir.Table:
    """Add ``split``: hidden items are in no training, the others are split per user.

    Items are ordered by their interactions and cut into ten strata; in each a share of the items,
    drawn by a seeded hash, is hidden for the test and as many for the validation: all interactions
    with them are "test" or "validation". Those with the other items are split by the rule of the
    protocol per_user, so that warm items, cold items and both together can be compared.

    Args:
        interactions: user_id, item_id; every pair once.
        hidden_share: Share of the items of each stratum, above 0 and at most 0.4.
        seed: Seed of the draw.
    """
    counts = interactions.group_by("item_id").aggregate(n=interactions.count())
    drawn = counts.mutate(draw=_draw([counts.item_id], seed))
    popular_first = [drawn.n.desc(), drawn.draw]
    strata = drawn.mutate(stratum=ibis.ntile(POPULARITY_STRATA).over(order_by=popular_first))
    ranked = strata.mutate(
        position=ibis.row_number().over(group_by=strata.stratum, order_by=strata.draw),
        n_hidden=(hidden_share * strata.count().over(group_by=strata.stratum) + 0.5).floor(),
    )
    role = ibis.cases(
        (ranked.position < ranked.n_hidden, "test"),
        (ranked.position < 2 * ranked.n_hidden, "validation"),
    )
    joined = interactions.join(ranked.select("item_id", split=role), "item_id")
    warm = assign_per_user(joined.filter(joined.split.isnull()).drop("split"), seed)
    hidden = joined.filter(joined.split.notnull())
    return warm.union(hidden.select(warm.columns))


def assign_user_cold(interactions: ir.Table, settings: SplitSettings) -> ir.Table:
    """Add ``split``: hidden users are in no training, all others train and validate.

    Of the users with more interactions than the longest history, m = max(fold_in), a share drawn by
    a seeded hash is hidden. Their first m interactions in order of time are "fold_in", all later
    ones "test": a history of any length in ``fold_in`` is the beginning of the first, and all
    lengths are compared on the same held-out interactions of the same users. Of every other user
    the last tenth is "validation", by the rule of the protocol per_user, the rest "train".

    Args:
        interactions: user_id, item_id, timestamp; every pair once.
        settings: Share of hidden users, lengths of the histories, seed.
    """
    longest = max(settings.fold_in)
    ranked = _rank_per_user(interactions, settings.seed)
    users = ranked.filter((ranked.position == 0) & (ranked.n > longest)).select("user_id")
    drawn = users.mutate(draw=_draw([users.user_id], settings.seed))
    ordered = drawn.mutate(
        place=ibis.row_number().over(order_by=drawn.draw),
        n_hidden=(settings.hidden_share * drawn.count().over() + 0.5).floor(),
    )
    hidden = ordered.filter(ordered.place < ordered.n_hidden).select(hidden_user_id="user_id")
    joined = ranked.left_join(hidden, ranked.user_id == hidden.hidden_user_id)
    is_hidden = joined.hidden_user_id.notnull()
    split = ibis.cases(
        (is_hidden & (joined.position < longest), FOLD_IN),
        (is_hidden, "test"),
        (joined.position >= joined.n - _n_validation(joined.n), "validation"),
        else_="train",
    )
    return joined.mutate(split=split).drop("position", "n", "hidden_user_id")


def _rank_per_user(interactions: ir.Table, seed: int) -> ir.Table:
    """Add ``position`` in the user's order of time, from 0, and ``n`` of the user's interactions.

    Equal times are ordered by the MD5 of user, item and seed; an interaction without time comes
    first, so that nothing of unknown time is tested on.
    """
    drawn = interactions.mutate(tie=_draw([interactions.user_id, interactions.item_id], seed))
    order = [drawn.timestamp.notnull(), drawn.timestamp, drawn.tie]
    by_user = ibis.window(group_by=drawn.user_id)
    return drawn.mutate(
        position=ibis.row_number().over(ibis.window(group_by=drawn.user_id, order_by=order)),
        n=drawn.count().over(by_user),
    ).drop("tie")


def _draw(ids: list[ir.StringValue], seed: int) -> ir.StringValue:
    """Return the MD5 of identifiers and seed: an order that is random and portable."""
    return ibis.literal("|").join([*ids, ibis.literal(str(seed))]).hexdigest("md5")


def count_evaluation(assignment: Assignment, n_items: int) -> dict[str, Any]:
    """Count what the split allows to be measured.

    Args:
        assignment: Interactions with their split.
        n_items: Number of items in the catalogue.

    Returns:
        Interactions per split, users with a history (under "user_cold": one that is folded in) that
        can be evaluated on validation and test, their test positives, users without history in the
        test period, and users whose history is the whole catalogue: good for training, but with
        nothing left to recommend.
    """
    split = assignment.interactions.split
    per_user = assignment.interactions.group_by("user_id").aggregate(
        **{name: (split == name).sum() for name in (*SPLITS, FOLD_IN)}
    )
    history = per_user.train + per_user.validation + per_user.fold_in
    sizes = (*SPLITS, FOLD_IN) if assignment.protocol == "user_cold" else SPLITS
    evaluated = (history > 0) & (per_user.test > 0)
    counts = per_user.aggregate(
        **{f"n_{name}": per_user[name].sum() for name in sizes},
        users=per_user.count(),
        evaluated_users=evaluated.sum(),
        test_positives=per_user.test.sum(where=evaluated),
        new_users=((history == 0) & (per_user.test > 0)).sum(),
        validation_users=((per_user.train > 0) & (per_user.validation > 0)).sum(),
        users_with_every_item=(history >= n_items).sum(),
    )
    found = {name: values[0] or 0 for name, values in counts.to_pyarrow().to_pydict().items()}
    return {
        "protocol": assignment.protocol,
        "reason": assignment.reason,
        "has_order": assignment.has_order,
    } | found


def check_evaluable(counts: dict[str, Any]) -> None:
    """Make sure that somebody can be evaluated, on the test and on the validation period.

    Raises:
        UserError: With the numbers and what to do.
    """
    for name, users in (("test", "evaluated_users"), ("validation", "validation_users")):
        if not counts[users]:
            raise UserError(
                f"Nobody can be evaluated on the {name} interactions: of {counts['users']} users "
                f"none has interactions both before and in the {name} part ({counts['n_train']} "
                f"train, {counts['n_validation']} validation, {counts['n_test']} test interactions "
                f"under the protocol {counts['protocol']}). Give more interactions per user (5 or "
                "more), or set the parameter behaviour_cleaning.protocol to the other protocol."
            )


def split_table(assignment: Assignment, split: str) -> ir.Table:
    """Return user_id, item_id, timestamp, weight of one split, sorted by user, time and item."""
    table = assignment.interactions
    chosen = table.filter(table.split == split).select("user_id", "item_id", "timestamp", "weight")
    return chosen.order_by("user_id", "timestamp", "item_id")


def trained_items(assignment: Assignment) -> ir.Table:
    """Return the item_id of every item with an interaction in train."""
    table = assignment.interactions
    return table.filter(table.split == "train").select("item_id").distinct()


def fold_in_table(assignment: Assignment, seed: int) -> ir.Table:
    """Return the interactions that are folded in, sorted by user and position.

    Returns:
        user_id, item_id, timestamp, weight and ``position`` (int64, from 1) in the user's order of
        time: a history of n interactions has the positions 1 to n. No rows under any protocol but
        "user_cold".
    """
    table = assignment.interactions
    ranked = _rank_per_user(table.filter(table.split == FOLD_IN), seed)
    chosen = ranked.select(
        "user_id", "item_id", "timestamp", "weight", position=ranked.position.cast("int64") + 1
    )
    return chosen.order_by("user_id", "position")


def fingerprint(tables: Iterable[ir.Table]) -> str:
    """Return the SHA-256 of sorted split tables, in their order; the same on every engine."""
    digest = hashlib.sha256()
    for table in tables:
        millionths = (table.weight * 1e6 + 0.5).floor().cast("int64").cast("string")
        timestamp = table.timestamp.cast("string").fill_null("")
        fields = [table.user_id, table.item_id, timestamp, millionths]
        rows = table.select(row=ibis.literal("\t").join(fields) + "\n").to_pyarrow()["row"]
        for chunk in rows.cast(pa.large_string()).chunks:
            digest.update(_text_of(chunk))
        digest.update(b"\n")
    return digest.hexdigest()


def _text_of(strings: pa.LargeStringArray) -> memoryview:
    """Return the strings of an Arrow array end to end, without a copy."""
    _, offsets, text = strings.buffers()
    first = strings.offset
    bounds = memoryview(offsets).cast("q")[first : first + len(strings) + 1]
    return memoryview(text)[bounds[0] : bounds[-1]]
