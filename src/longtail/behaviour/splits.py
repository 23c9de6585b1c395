"""Splits into training, validation and test interactions."""

import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from longtail.errors import UserError

Protocol = Literal["temporal", "per_user"]
ProtocolChoice = Literal["auto", "temporal", "per_user"]

SPLITS = ("train", "validation", "test")
VALIDATION_QUANTILE = 0.8
TEST_QUANTILE = 0.9


@dataclass(frozen=True)
class Cutoffs:
    """First time of the validation and of the test period, in the unit of ``timestamp``."""

    validation_start: int
    test_start: int


@dataclass(frozen=True)
class Assignment:
    """Interactions with a column ``split`` and how it was made.

    Attributes:
        interactions: The interactions with ``split`` in {"train", "validation", "test"}.
        protocol: "temporal" or "per_user".
        has_order: Whether any interaction has a time or position.
        cutoffs: Starts of the periods under "temporal", else None.
    """

    interactions: ir.Table
    protocol: Protocol
    has_order: bool
    cutoffs: Cutoffs | None


def assign_splits(
    interactions: ir.Table, *, protocol: ProtocolChoice, earliest: int, seed: int
) -> Assignment:
    """Put every interaction into train, validation or test.

    Args:
        interactions: user_id, item_id, timestamp (int64 or null); every user-item pair once.
        protocol: "auto" is temporal when every interaction has a calendar time, else per user.
        earliest: First plausible unix second; smaller numbers are positions, not times.
        seed: Seed of the hash that orders interactions with equal or without time.
    """
    timestamp = interactions.timestamp
    facts = interactions.aggregate(
        rows=interactions.count(), timed=timestamp.count(), real=(timestamp >= earliest).sum()
    )
    found = {name: values[0] or 0 for name, values in facts.to_pyarrow().to_pydict().items()}
    has_order = found["timed"] > 0
    if protocol == "temporal" or (protocol == "auto" and found["real"] == found["rows"]):
        cutoffs = temporal_cutoffs(interactions)
        return Assignment(assign_temporal(interactions, cutoffs), "temporal", has_order, cutoffs)
    return Assignment(assign_per_user(interactions, seed), "per_user", has_order, None)


def temporal_cutoffs(interactions: ir.Table) -> Cutoffs:
    """Return the 80 % and 90 % quantiles of the times, linearly interpolated and rounded up.

    Rounding up changes no assignment: times are integers and a period starts at its cut-off.
    """
    time = interactions.timestamp.cast("float64")
    quantiles = interactions.aggregate(
        validation=time.quantile(VALIDATION_QUANTILE), test=time.quantile(TEST_QUANTILE)
    ).to_pyarrow()
    return Cutoffs(
        validation_start=math.ceil(quantiles["validation"][0].as_py()),
        test_start=math.ceil(quantiles["test"][0].as_py()),
    )


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
    fewer than 3 interactions only train, users with fewer than 5 have no validation. Equal times
    are ordered by the MD5 of user, item and seed; an interaction without time comes first, so that
    nothing of unknown time is tested on.
    """
    pair = ibis.literal("|").join(
        [interactions.user_id, interactions.item_id, ibis.literal(str(seed))]
    )
    keyed = interactions.mutate(tie=pair.hexdigest("md5"))
    order = [keyed.timestamp.notnull(), keyed.timestamp, keyed.tie]
    by_user = ibis.window(group_by=keyed.user_id)
    ranked = keyed.mutate(
        position=ibis.row_number().over(ibis.window(group_by=keyed.user_id, order_by=order)),
        n=keyed.count().over(by_user),
    )
    n = ranked.n
    n_test = ibis.ifelse(n < 3, 0, ibis.greatest(1, (2 * n + 5) // 10))
    n_validation = ibis.ifelse(n < 5, 0, ibis.greatest(1, (n + 5) // 10))
    split = ibis.cases(
        (ranked.position >= n - n_test, "test"),
        (ranked.position >= n - n_test - n_validation, "validation"),
        else_="train",
    )
    return ranked.mutate(split=split).drop("position", "n", "tie")


def count_evaluation(assignment: Assignment, n_items: int) -> dict[str, Any]:
    """Count what the split allows to be measured.

    Args:
        assignment: Interactions with their split.
        n_items: Number of items in the catalogue.

    Returns:
        Interactions per split, users with a history that can be evaluated on validation and test,
        their test positives, users without history in the test period, and users whose history is
        the whole catalogue: good for training, but with nothing left to recommend.
    """
    split = assignment.interactions.split
    per_user = assignment.interactions.group_by("user_id").aggregate(
        **{name: (split == name).sum() for name in SPLITS}
    )
    history = per_user.train + per_user.validation
    evaluated = (history > 0) & (per_user.test > 0)
    counts = per_user.aggregate(
        **{f"n_{name}": per_user[name].sum() for name in SPLITS},
        users=per_user.count(),
        evaluated_users=evaluated.sum(),
        test_positives=per_user.test.sum(where=evaluated),
        new_users=((history == 0) & (per_user.test > 0)).sum(),
        validation_users=((per_user.train > 0) & (per_user.validation > 0)).sum(),
        users_with_every_item=(history >= n_items).sum(),
    )
    found = {name: values[0] or 0 for name, values in counts.to_pyarrow().to_pydict().items()}
    return {"protocol": assignment.protocol, "has_order": assignment.has_order} | found


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
