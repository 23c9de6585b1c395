"""Splits into training, validation and test interactions."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.compute as pc

from longtail.behaviour.protocols import (
    FOLD_IN,
    Cutoffs,
    assign_item_cold,
    assign_per_user,
    assign_temporal,
    assign_user_cold,
    rank_per_user,
    temporal_cutoffs,
)
from longtail.errors import UserError

Protocol = Literal["temporal", "per_user", "item_cold", "user_cold"]
ProtocolChoice = Literal["auto", "temporal", "per_user", "item_cold", "user_cold"]

SPLITS = ("train", "validation", "test")
_REQUESTED = "It was set by the parameter behaviour_cleaning.protocol."


@dataclass(frozen=True)
class SplitSettings:
    """How interactions are split.

    Attributes:
        protocol: "auto" is temporal if every interaction has a calendar time and enough users can
            be evaluated that way, else per user.
        earliest: first plausible unix second; smaller numbers are positions, not times.
        seed: seed of the hash that orders interactions with equal or no time, and that draws hidden
            items and users.
        min_evaluated_users: users with a history that "auto" requires both on the validation and on
            the test period to choose a temporal split.
        hidden_share: "item_cold": share of the items hidden for the test, and the same share for
            the validation; "user_cold": share of the users hidden for the test.
        fold_in: "user_cold": lengths of the histories with which hidden users are evaluated.
    """

    protocol: ProtocolChoice
    earliest: int
    seed: int
    min_evaluated_users: int = 1
    hidden_share: float = 0.1
    fold_in: tuple[int, ...] = (0, 1, 3, 5, 10)


@dataclass(frozen=True)
class Assignment:
    """Interactions with a column ``split``, and the protocol that set it.

    Attributes:
        interactions: the interactions with ``split`` in {"train", "validation", "test"}, and
            "fold_in" under "user_cold".
        protocol: "temporal", "per_user", "item_cold" or "user_cold".
        reason: why this protocol was chosen, as a sentence.
        has_order: whether any interaction has a time or position.
        cutoffs: starts of the periods under "temporal", else None.
        dislikes: what users are known to dislike before the validation and before the test; None
            where only interactions are split.
    """

    interactions: ir.Table
    protocol: Protocol
    reason: str
    has_order: bool
    cutoffs: Cutoffs | None
    dislikes: ir.Table | None = None

    def describe(self) -> dict[str, Any]:
        """Return everything but the tables as plain JSON."""
        return {
            "protocol": self.protocol,
            "reason": self.reason,
            "has_order": self.has_order,
            "validation_start": self.cutoffs.validation_start if self.cutoffs else None,
            "test_start": self.cutoffs.test_start if self.cutoffs else None,
        }


def assign_splits(interactions: ir.Table, settings: SplitSettings) -> Assignment:
    """Assign every interaction to train, validation or test.

    Args:
        interactions: user_id, item_id, timestamp (int64 or null); each user-item pair once.
        settings: how to split.
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
        return _without_cutoffs(interactions, protocol, settings, has_order, _REQUESTED)
    cutoffs = temporal_cutoffs(interactions)
    temporal = Assignment(
        assign_temporal(interactions, cutoffs), "temporal", _REQUESTED, has_order, cutoffs
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
    """Split by one of the protocols without a common point in time."""
    if protocol == "per_user":
        split = assign_per_user(interactions, settings.seed)
        return Assignment(split, "per_user", reason, has_order, None)
    if protocol == "item_cold":
        split = assign_item_cold(interactions, settings.hidden_share, settings.seed)
        return Assignment(split, "item_cold", reason, has_order, None)
    split = assign_user_cold(interactions, settings.hidden_share, settings.fold_in, settings.seed)
    return Assignment(split, "user_cold", reason, has_order, None)


def _enough_users(temporal: Assignment, wanted: int) -> tuple[bool, str]:
    """Return whether a temporal split evaluates enough users, and a sentence that says so."""
    users = count_evaluation(temporal, n_items=0)
    test, validation = users["evaluated_users"], users["validation_users"]
    periods = (
        f"{test} users with a history can be evaluated on the test period and {validation} on the "
        "validation period of a temporal split"
    )
    if min(test, validation) >= wanted:
        return True, f"{periods}."
    return False, f"Only {periods}; at least {wanted} are required on each."


def count_evaluation(assignment: Assignment, n_items: int) -> dict[str, Any]:
    """Count the interactions and the users that the split allows to be evaluated.

    Args:
        assignment: interactions with their split.
        n_items: number of items in the catalogue.

    Returns:
        Interactions per split; users with a history (under "user_cold": a folded-in one) that can
        be evaluated on validation and on test; their test positives; users of the test period
        without a history; and users whose history is the whole catalogue, who can be trained on
        but have nothing left to recommend. With protocol, reason and has_order.
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
    """Check that users can be evaluated on the test and on the validation period.

    Raises:
        UserError: if none can; with the numbers and what to do.
    """
    for name, users in (("test", "evaluated_users"), ("validation", "validation_users")):
        if not counts[users]:
            raise UserError(
                f"No user can be evaluated on the {name} interactions: of {counts['users']} users "
                f"none has interactions both before and in the {name} part ({counts['n_train']} "
                f"train, {counts['n_validation']} validation, {counts['n_test']} test interactions "
                f"under the protocol {counts['protocol']}). Use data with at least 5 interactions "
                "per user, or choose another protocol with the parameter "
                "behaviour_cleaning.protocol."
            )


def split_table(pairs: ir.Table, split: str) -> ir.Table:
    """Return user_id, item_id, timestamp, weight of one split, sorted by user, time and item.

    Also position, where ``pairs`` has it.
    """
    order = [name for name in ("position",) if name in pairs.columns]
    columns = ("user_id", "item_id", "timestamp", "weight", *order)
    chosen = pairs.filter(pairs.split == split).select(*columns)
    return chosen.order_by("user_id", "timestamp", *order, "item_id")


def fold_in_table(pairs: ir.Table, seed: int) -> ir.Table:
    """Return the folded-in interactions, sorted by user and position.

    Returns:
        user_id, item_id, timestamp, weight and ``position`` (int64, from 1, in time, per user): a
        history of n interactions has the positions 1 to n. Empty except under "user_cold".
    """
    ranked = rank_per_user(pairs.filter(pairs.split == FOLD_IN), seed)
    chosen = ranked.select(
        "user_id", "item_id", "timestamp", "weight", position=ranked.position.cast("int64") + 1
    )
    return chosen.order_by("user_id", "position")


def fingerprint(tables: Iterable[ir.Table]) -> str:
    """Return the SHA-256 of sorted split tables, in the given order; the same on every engine.

    Fields are joined by tabs and rows by line breaks. Where ids hold these characters they are
    escaped, so that different tables never give the same text.
    """
    digest = hashlib.sha256()
    for table in tables:
        fields = table.select(
            "user_id",
            "item_id",
            timestamp=table.timestamp.cast("string").fill_null(""),
            millionths=(table.weight * 1e6 + 0.5).floor().cast("int64").cast("string"),
        )
        for batch in fields.to_pyarrow().to_batches():
            user_id, item_id, *numbers = (column.cast(pa.large_string()) for column in batch)
            columns = [_escaped(user_id), _escaped(item_id), *numbers]
            tab, line_break, nothing = pa.array(["\t", "\n", ""], pa.large_string())
            rows = pc.binary_join_element_wise(*columns, tab)
            digest.update(_text_of(pc.binary_join_element_wise(rows, nothing, line_break)))
        digest.update(b"\n")
    return digest.hexdigest()


def _escaped(ids: pa.LargeStringArray) -> pa.LargeStringArray:
    """Return ids without tabs and line breaks; different ids stay different."""
    for character, escape in (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n")):
        ids = pc.replace_substring(ids, character, escape)
    return ids


def _text_of(strings: pa.LargeStringArray) -> memoryview:
    """Return the concatenated bytes of an Arrow string array, without a copy."""
    _, offsets, text = strings.buffers()
    first = strings.offset
    bounds = memoryview(offsets).cast("q")[first : first + len(strings) + 1]
    return memoryview(text)[bounds[0] : bounds[-1]]
