"""Cleaning of the behaviour log."""

from datetime import UTC, datetime
from typing import Any, NamedTuple

import ibis
import ibis.expr.types as ir

from longtail.behaviour.cleaning.codes import decode, number_rows
from longtail.behaviour.cleaning.decimal_signs import decimal_signs
from longtail.behaviour.cleaning.interaction_rules import (
    InteractionSettings,
    reject_bots,
    reject_outside_core,
    reject_repeats,
    row_rules,
)
from longtail.behaviour.cleaning.mass_rejections import mass_rejections, nothing_left
from longtail.behaviour.cleaning.parsing import TimestampProfile, profile_timestamps
from longtail.behaviour.cleaning.rules import add_reason, count_rules, first_rule
from longtail.behaviour.cleaning.time_formats import parse_formatted, profile_formatted
from longtail.behaviour.cleaning.typed_rows import (
    NUMBERS,
    RAW_COLUMNS,
    encode_rows,
    rejected_as_read,
    type_columns,
)
from longtail.behaviour.computed import computed
from longtail.behaviour.signals import MILLIONTHS, Signals, event_weight, millionths
from longtail.errors import UserError

INTERACTION_COLUMNS = ("user_id", "item_id", "event_type", "rating", "timestamp", "weight")
INTERACTION_ORDER = ("user_id", "timestamp", "item_id", "event_type", "rating", "weight")

SHOWN_IDS = 3


class CleanInteractions(NamedTuple):
    """Kept interactions, rejected rows and the interactions' part of the cleaning report.

    ``events`` are the same interactions unsorted, for steps that need no order; where times have
    fractions of a second, their column ``moment`` (float64 unix seconds) keeps them.
    """

    interactions: ir.Table
    rejected: ir.Table
    report: dict[str, Any]
    events: ir.Table


def clean_interactions(
    raw: ir.Table, catalogue: ir.Table, settings: InteractionSettings
) -> CleanInteractions:
    """Type the behaviour log, reject unusable rows and weigh the rest.

    A row without a rating passes ``min_rating``: it is another kind of behaviour. Repeated
    user-item pairs are kept; their weights are summed per period when the interactions are split.

    Args:
        raw: the canonical interaction columns, all strings.
        catalogue: item_id and ``kept`` (whether the item passed its cleaning), every item once.
        settings: which rows are accepted, and what they weigh.

    Returns:
        ``interactions`` with rating float64, timestamp int64 (unix seconds or position) and weight
        float64, sorted by user_id, timestamp, item_id; ``rejected`` with the columns as read,
        ``rule`` and ``reason``; the report. Rows in = kept + rejected.

    Raises:
        UserError: if a temporal split is requested without calendar times, or no row is left.
    """
    profile, times = _profile(raw.timestamp, settings)
    items = number_rows(catalogue.rename(text="item_id"))
    signs = decimal_signs(raw, NUMBERS, settings.decimal_sign)
    commas = [name for name, sign in signs.items() if sign == "comma"]
    typed = type_columns(raw, items, profile, times, commas)
    rules = row_rules(typed, profile, settings)
    coded, codes = encode_rows(raw, typed.mutate(rule=first_rule(rules)), items)
    coded, bot_rules = reject_bots(coded, settings)
    window = settings.double_click_seconds if profile.kind == "calendar" else None
    coded, repeat_rules = reject_repeats(coded, window)
    coded, core_rules, cost = reject_outside_core(computed(coded), codes, settings)
    rules += bot_rules + repeat_rules + core_rules
    report = count_rules(coded, rules) | {"timestamps": _describe(profile)} | cost
    as_read = rejected_as_read(coded, codes)
    report["mass_rejections"] = mass_rejections(
        as_read,
        report["rejected_by_rule"],
        rows=report["rows_in"],
        max_share=settings.max_rejected_share,
        min_users=settings.min_group_size,
        catalogue=catalogue,
    )
    if not report["rows_kept"]:
        raise UserError(_nothing_left(as_read, report, catalogue, settings))
    events = _weigh_kept(coded, codes, settings.signals)
    report["event_types"] = _describe_event_types(events, codes)
    rejected = add_reason(as_read, rules).order_by(*RAW_COLUMNS, "rule")
    report["ratings"] = _describe_ratings(coded)
    report["filled"] = _count_numbers(coded)
    report["period"] = _span(coded, profile)
    report["decimal_signs"] = signs
    varying = (*coded.columns, *(["weight"] if settings.signals else []))
    order = [name for name in INTERACTION_ORDER if name in varying]
    interactions = decode(events.select(*INTERACTION_COLUMNS), codes, order)
    return CleanInteractions(interactions, rejected, report, decode(events, codes))


def _profile(
    timestamp: ir.StringColumn, settings: InteractionSettings
) -> tuple[TimestampProfile, ir.Table | None]:
    """Return what the time column holds and, for a format that the user gives, its times."""
    earliest, latest = settings.earliest, settings.latest
    if settings.timestamp_format is None:
        kind = settings.timestamps
        found = profile_timestamps(timestamp, kind=kind, earliest=earliest, latest=latest)
        return found, None
    times = parse_formatted(timestamp, settings.timestamp_format)
    profile = profile_formatted(timestamp, times, settings.timestamp_format, earliest, latest)
    return profile, times


def _weigh_kept(
    classified: ir.Table, codes: dict[str, ir.Table], signals: Signals | None
) -> ir.Table:
    """Return the kept rows with their weight; ids and event types are codes."""
    kept = classified.filter(classified.rule.isnull())
    empty = [name for name in NUMBERS if name not in kept.columns]
    kept = kept.mutate(**dict.fromkeys(empty, ibis.null("float64")))
    columns = [*INTERACTION_COLUMNS, *(["moment"] if "moment" in kept.columns else [])]
    if signals is None:
        return kept.mutate(weight=event_weight(kept, None)).select(*columns)
    # Weights need the text of the event type, the result its code.
    with_text = kept.mutate(coded_event_type=kept.event_type)
    events = decode(with_text, {"event_type": codes["event_type"]})
    weighed = events.mutate(
        weight=event_weight(events, signals), event_type=events.coded_event_type
    )
    return weighed.select(*columns).pipe(computed)


def _describe_event_types(
    interactions: ir.Table, codes: dict[str, ir.Table]
) -> list[dict[str, Any]]:
    """Return the kept rows, those of a weight above 0 and the mean weight of every event type."""
    by_type = interactions.group_by("event_type").aggregate(
        rows=interactions.count(),
        weight=millionths(interactions.weight).sum(),
        positive_rows=(interactions.weight > 0).sum(),
    )
    by_type = decode(by_type, {"event_type": codes["event_type"]})
    found = by_type.order_by(by_type.rows.desc(), by_type.event_type).to_pyarrow().to_pylist()
    return [
        {
            "event_type": row["event_type"] or "",
            "rows": row["rows"],
            "positive_rows": row["positive_rows"],
            "mean_weight": round(row["weight"] / MILLIONTHS / row["rows"], 6),
        }
        for row in found
    ]


def _describe_ratings(coded: ir.Table) -> dict[str, Any]:
    """Return the range of the kept ratings, and whether they look like counts.

    Counts are whole numbers without an upper end; scales of ratings end at 10 or at 100.
    """
    if "rating" not in coded.columns:
        return {"lowest": None, "highest": None, "look_like_counts": False}
    rating = coded.filter(coded.rule.isnull()).rating
    facts = rating.as_table().aggregate(
        lowest=rating.min(), highest=rating.max(), whole=(rating == rating.floor()).all()
    )
    found = facts.to_pyarrow().to_pylist()[0]
    lowest, highest = found["lowest"], found["highest"]
    counts = lowest is not None and lowest >= 0 and highest > 10 and highest != 100
    is_count = bool(counts and found["whole"])
    return {"lowest": lowest, "highest": highest, "look_like_counts": is_count}


def _count_numbers(coded: ir.Table) -> dict[str, int]:
    """Return in how many kept rows each column of numbers holds one."""
    kept = coded.filter(coded.rule.isnull())
    present = [name for name in NUMBERS if name in coded.columns]
    counts = dict.fromkeys(NUMBERS, 0)
    if present:
        found = kept.aggregate(**{name: kept[name].count() for name in present})
        counts |= found.to_pyarrow().to_pylist()[0]
    return counts


def _span(coded: ir.Table, profile: TimestampProfile) -> dict[str, int | None]:
    """Return the first and the last kept calendar time in unix seconds, None for other times."""
    if profile.kind != "calendar":
        return {"first": None, "last": None}
    times = coded.filter(coded.rule.isnull()).timestamp
    facts = times.as_table().aggregate(first=times.min(), last=times.max())
    span: dict[str, int | None] = facts.to_pyarrow().to_pylist()[0]
    return span


def _describe(profile: TimestampProfile) -> dict[str, Any]:
    return {
        "kind": profile.kind,
        "unit": profile.unit,
        "calendar_share": profile.calendar_share,
    }


def _nothing_left(
    as_read: ir.Table, report: dict[str, Any], catalogue: ir.Table, settings: InteractionSettings
) -> str:
    known = catalogue.select("item_id").order_by("item_id").limit(SHOWN_IDS)
    ids = ", ".join(f"'{text}'" for text in known.to_pyarrow()["item_id"].to_pylist())
    first, last = (
        f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}"
        for seconds in (settings.earliest, settings.latest)
    )
    times = settings.timestamp_format or "unix times, ISO 8601, dates as yyyymmdd and positions"
    number = "Read are numbers such as 3 or 3.5."
    readable = {
        "user_id": "Read is any text that is not one of behaviour_cleaning.missing_ids.",
        "item_id": f"Read are the ids of the items file, such as {ids}.",
        "timestamp": f"Read are {times}, from {first} to {last}.",
        **dict.fromkeys(NUMBERS, number),
    }
    return nothing_left(
        as_read,
        report,
        file="interactions",
        readable=readable,
        min_users=settings.min_group_size,
        catalogue=catalogue,
    )
