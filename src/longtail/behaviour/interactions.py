"""Cleaning of the behaviour log."""

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import ibis
import ibis.expr.types as ir

from longtail.behaviour.columns import is_blank
from longtail.behaviour.parsing import (
    TimestampKind,
    TimestampProfile,
    parse_calendar,
    parse_number,
    parse_ordinal,
    profile_timestamps,
)
from longtail.behaviour.rules import Rule, add_reason, count_rules, first_rule
from longtail.behaviour.signals import add_weight
from longtail.behaviour.splits import ProtocolChoice
from longtail.errors import UserError

RAW_COLUMNS = ("user_id", "item_id", "event_type", "rating", "timestamp")
INTERACTION_COLUMNS = (*RAW_COLUMNS, "weight")
TEMPORAL_SHARE = 0.95


@dataclass(frozen=True)
class InteractionSettings:
    """What makes an interaction acceptable.

    Attributes:
        timestamps: "auto" recognises the kind of the times; "calendar" or "ordinal" prescribes it.
        protocol: Split protocol; under a temporal one a row needs a time.
        earliest: First plausible unix second.
        latest: Last plausible unix second.
        min_rating: Rated rows below it are rejected; None accepts every rating.
    """

    timestamps: Literal["auto", "calendar", "ordinal"]
    protocol: ProtocolChoice
    earliest: int
    latest: int
    min_rating: float | None = None


class CleanInteractions(NamedTuple):
    """Kept interactions, rejected rows and the interactions' part of the cleaning report."""

    interactions: ir.Table
    rejected: ir.Table
    report: dict[str, Any]


def clean_interactions(
    raw: ir.Table, items: ir.Table, settings: InteractionSettings
) -> CleanInteractions:
    """Type the behaviour log and keep the first interaction of every user-item pair.

    "First" is the earliest time, then the smallest hash of the event, so that the order of the file
    does not matter. A row without rating passes ``min_rating``: it is behaviour of another kind.

    Args:
        raw: The canonical interaction columns, all strings.
        items: Kept items; interactions on others are rejected.
        settings: What makes a row acceptable.

    Returns:
        ``interactions`` with rating float64, timestamp int64 (unix seconds or position) and weight
        float64, sorted by user_id, timestamp, item_id; ``rejected`` with the columns as read,
        ``rule`` and ``reason``; the report. Rows in = kept + rejected.

    Raises:
        UserError: When a temporal split is asked for without calendar times, or no row is left.
    """
    profile = profile_timestamps(
        raw.timestamp,
        kind=settings.timestamps,
        earliest=settings.earliest,
        latest=settings.latest,
    )
    typed = _typed(raw, items, profile.kind)
    rules = _row_rules(typed, profile, settings)
    ranked = _rank_repeats(typed.mutate(rule=first_rule(rules)))
    repeats = _repeat_rules(ranked)
    rules += repeats
    classified = ranked.mutate(rule=ibis.coalesce(ranked.rule, first_rule(repeats)))
    classified = classified.drop("known", "event_hash", "raw_hash", "same_as_previous", "position")
    classified = classified.cache()
    report = count_rules(classified, rules) | {"timestamps": _describe(profile)}
    if not report["rows_kept"]:
        raise UserError(_nothing_left(report))
    rejected = add_reason(
        classified.filter(classified.rule.notnull()).select(*RAW_COLUMNS, "rule"), rules
    )
    return CleanInteractions(_kept(classified), rejected.order_by(*rejected.columns), report)


def _typed(raw: ir.Table, items: ir.Table, kind: TimestampKind) -> ir.Table:
    """Add the typed columns, whether the item is known, and the hashes that break ties."""
    known = items.select(known_item_id=items.item_id, known=ibis.literal(True))
    joined = raw.left_join(known, raw.item_id == known.known_item_id).drop("known_item_id")
    parse = parse_ordinal if kind == "ordinal" else parse_calendar
    typed = joined.mutate(
        typed_rating=parse_number(joined.rating), typed_timestamp=parse(joined.timestamp)
    )
    return typed.mutate(
        event_hash=_hash(typed, typed.event_type),
        raw_hash=_hash(typed, typed.timestamp, typed.rating),
    )


def _hash(typed: ir.Table, *values: ir.StringValue) -> ir.StringValue:
    """Return the MD5 of the row's user, item and given values, to break ties without favour."""
    texts = [value.fill_null("") for value in (typed.user_id, typed.item_id, *values)]
    return ibis.literal("|").join(texts).hexdigest("md5")


def _row_rules(
    typed: ir.Table, profile: TimestampProfile, settings: InteractionSettings
) -> list[Rule]:
    """Rules that look at one row alone, in the order in which they apply."""
    rules = [
        Rule("missing_user_id", "The row names no user.", is_blank(typed.user_id)),
        Rule("missing_item_id", "The row names no item.", is_blank(typed.item_id)),
        Rule("unknown_item", "The item is not in the items file.", typed.known.isnull()),
        Rule(
            "unparsable_timestamp",
            "The time is neither unix seconds or milliseconds nor ISO 8601 nor a position.",
            ~is_blank(typed.timestamp) & typed.typed_timestamp.isnull(),
        ),
    ]
    if profile.kind == "calendar":
        plausible = typed.typed_timestamp.between(settings.earliest, settings.latest)
        reason = "The time lies before or after every plausible time."
        rules.append(Rule("absurd_timestamp", reason, ~plausible))
    if _needs_time(profile, settings.protocol):
        reason = "The row has no time and the split is temporal."
        rules.append(Rule("missing_timestamp", reason, typed.typed_timestamp.isnull()))
    unreadable = ~is_blank(typed.rating) & typed.typed_rating.isnull()
    rules.append(Rule("invalid_rating", "The rating is no finite number.", unreadable))
    if settings.min_rating is not None:
        low = typed.typed_rating < settings.min_rating
        reason = f"The rating is below {settings.min_rating:g}."
        rules.append(Rule("below_min_rating", reason, low))
    return rules


def _needs_time(profile: TimestampProfile, protocol: ProtocolChoice) -> bool:
    """Tell whether the split will be temporal, so that a row without time cannot be used."""
    if protocol == "temporal" and profile.kind != "calendar":
        found = "positions, not times" if profile.kind == "ordinal" else "no times"
        raise UserError(
            f"The interactions file holds {found} in the column timestamp, so it cannot be split "
            "by time. Set the parameter behaviour_cleaning.protocol to per_user or auto."
        )
    by_share = protocol == "auto" and profile.calendar_share >= TEMPORAL_SHARE
    return protocol == "temporal" or by_share


def _rank_repeats(typed: ir.Table) -> ir.Table:
    """Number the acceptable rows of every user-item pair from 0 in the order of their time."""
    same = (typed.typed_timestamp, typed.event_hash, typed.typed_rating)
    order = [typed.typed_timestamp.isnull(), *same, typed.raw_hash]
    window = ibis.window(group_by=[typed.rule, typed.user_id, typed.item_id], order_by=order)
    repeats = [value.lag().over(window).identical_to(value) for value in same]
    position = ibis.row_number().over(window)
    return typed.mutate(position=position, same_as_previous=(position > 0) & ibis.and_(*repeats))


def _repeat_rules(ranked: ir.Table) -> list[Rule]:
    return [
        Rule("duplicate", "The row repeats another one exactly.", ranked.same_as_previous),
        Rule(
            "repeated_pair",
            "The user met the same item before; the first interaction is kept.",
            ranked.position > 0,
        ),
    ]


def _kept(classified: ir.Table) -> ir.Table:
    kept = classified.filter(classified.rule.isnull())
    event_type = ibis.ifelse(is_blank(kept.event_type), ibis.null("string"), kept.event_type)
    interactions = kept.select(
        "user_id",
        "item_id",
        event_type=event_type,
        rating=kept.typed_rating,
        timestamp=kept.typed_timestamp,
    )
    return add_weight(interactions).order_by("user_id", "timestamp", "item_id")


def _describe(profile: TimestampProfile) -> dict[str, Any]:
    return {"kind": profile.kind, "calendar_share": profile.calendar_share}


def _nothing_left(report: dict[str, Any]) -> str:
    counts = [f"{rule} {n}" for rule, n in report["rejected_by_rule"].items() if n]
    return (
        f"No interaction is left of the {report['rows_in']} rows of the interactions file "
        f"(rejected: {', '.join(counts)}). Check that both files belong together and that the "
        "parameters of behaviour_cleaning fit them."
    )
