"""Cleaning of the behaviour log."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import ibis
import ibis.expr.types as ir

from longtail.behaviour.codes import decode, number_rows, number_texts
from longtail.behaviour.columns import is_blank
from longtail.behaviour.core import describe_cost, k_core
from longtail.behaviour.parsing import (
    TimestampProfile,
    parse_calendar,
    parse_number,
    parse_ordinal,
    profile_timestamps,
)
from longtail.behaviour.robots import Robots, suspicious, user_features
from longtail.behaviour.rules import Rule, add_reason, count_rules, first_rule
from longtail.behaviour.signals import MILLIONTHS, Signals, event_weight, millionths
from longtail.behaviour.splits import ProtocolChoice
from longtail.errors import UserError

RAW_COLUMNS = (
    "user_id", "item_id", "event_type", "rating", "quantity", "dwell_seconds", "timestamp",
)  # fmt: skip
INTERACTION_COLUMNS = ("user_id", "item_id", "event_type", "rating", "timestamp", "weight")
INTERACTION_ORDER = ("user_id", "timestamp", "item_id", "event_type", "rating", "weight")
TEMPORAL_SHARE = 0.95
_NUMBERS = ("rating", "quantity", "dwell_seconds")


@dataclass(frozen=True)
class InteractionSettings:
    """What makes an interaction acceptable, and what it weighs.

    Attributes:
        timestamps: "auto" recognises the kind of the times; "calendar" or "ordinal" prescribes it.
        protocol: Split protocol; under a temporal one a row needs a time.
        earliest: First plausible unix second.
        latest: Last plausible unix second.
        min_rating: Rated rows below it are rejected; None accepts every rating.
        double_click_seconds: The same event again within these seconds is rejected, where times are
            calendar times; None: kept.
        robots: How users who are no people are told.
        k_core: Smallest number of partners of a user and of an item; None keeps all.
        signals: What the events weigh; None: every event weighs 1.
        seed: Seed of the isolation forest.
    """

    timestamps: Literal["auto", "calendar", "ordinal"]
    protocol: ProtocolChoice
    earliest: int
    latest: int
    min_rating: float | None = None
    double_click_seconds: float | None = None
    robots: Robots = field(default_factory=Robots)
    k_core: int | None = None
    signals: Signals | None = None
    seed: int = 0


class CleanInteractions(NamedTuple):
    """Kept interactions, rejected rows and the interactions' part of the cleaning report.

    ``events`` are the same interactions in no order, for what does not need one.
    """

    interactions: ir.Table
    rejected: ir.Table
    report: dict[str, Any]
    events: ir.Table


def clean_interactions(
    raw: ir.Table, catalogue: ir.Table, settings: InteractionSettings
) -> CleanInteractions:
    """Type the behaviour log, reject what is no evidence and weigh the rest.

    A row without rating passes ``min_rating``: it is behaviour of another kind. Repeats of a
    user-item pair are kept: they add up, period by period, when the interactions are split.

    Args:
        raw: The canonical interaction columns, all strings.
        catalogue: item_id and ``kept`` (whether the item passed its cleaning), every item once.
        settings: What makes a row acceptable, and what it weighs.

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
    items = number_rows(catalogue.rename(text="item_id"))
    typed = _typed(raw, items, profile)
    rules = _row_rules(typed, profile, settings)
    coded, codes = _coded(raw, typed.mutate(rule=first_rule(rules)), items)
    coded, user_rules = _reject_robots(coded, settings)
    window = settings.double_click_seconds if profile.kind == "calendar" else None
    coded, repeat_rules = _reject_repeats(coded, window)
    coded, core_rules, cost = _reject_outside_core(coded.cache(), codes, settings)
    rules += user_rules + repeat_rules + core_rules
    report = count_rules(coded, rules) | {"timestamps": _describe(profile)} | cost
    if not report["rows_kept"]:
        raise UserError(_nothing_left(report))
    events = _kept(coded, codes, settings.signals)
    report["event_types"] = _describe_events(events, codes)
    rejected = add_reason(_rejected(coded, codes), rules).order_by(*RAW_COLUMNS, "rule")
    varying = (*coded.columns, *(["weight"] if settings.signals else []))
    order = [name for name in INTERACTION_ORDER if name in varying]
    return CleanInteractions(decode(events, codes, order), rejected, report, decode(events, codes))


def _typed(raw: ir.Table, items: ir.Table, profile: TimestampProfile) -> ir.Table:
    """Add the typed columns, the code of the item and whether it is known (null) and was kept."""
    known = items.select(known_item_id=items.text, item_code=items.code, in_catalogue=items.kept)
    joined = raw.left_join(known, raw.item_id == known.known_item_id).drop("known_item_id")
    if profile.kind == "ordinal":
        timestamp = parse_ordinal(joined.timestamp)
    else:
        timestamp = parse_calendar(joined.timestamp, has_text=profile.has_text)
    return joined.mutate(
        typed_event_type=ibis.ifelse(
            is_blank(joined.event_type), ibis.null("string"), joined.event_type
        ),
        typed_timestamp=timestamp,
        **{f"typed_{name}": parse_number(joined[name]) for name in _NUMBERS},
    )


def _coded(
    raw: ir.Table, classified: ir.Table, items: ir.Table
) -> tuple[ir.Table, dict[str, ir.Table]]:
    """Reduce rows to codes and numbers.

    A text that the typed value does not give back stays beside it, as ``<column>_as_read``. Columns
    that are empty throughout are left out.

    Returns:
        user_id, item_id, event_type (codes), timestamp, further numbers, texts as read and
        ``rule``; the codes.
    """
    codes = {
        "user_id": number_texts(raw.user_id),
        "item_id": items,
        "event_type": number_texts(raw.event_type),
    }
    users, kinds = (
        codes[name].select(**{f"{name}_text": "text", f"{name}_code": "code"})
        for name in ("user_id", "event_type")
    )
    joined = classified.left_join(users, classified.user_id == users.user_id_text)
    joined = joined.left_join(kinds, joined.typed_event_type == kinds.event_type_text)
    names = ("timestamp", *_filled(raw, _NUMBERS))
    coded = joined.select(
        "rule",
        user_id=joined.user_id_code,
        item_id=joined.item_code,
        event_type=joined.event_type_code,
        item_id_as_read=ibis.ifelse(joined.item_code.isnull(), joined.item_id, ibis.null("string")),
        **{name: joined[f"typed_{name}"] for name in names},
        **{f"{name}_as_read": _text_if_other(joined, name) for name in ("event_type", *names)},
    ).cache()
    spelled = [name for name in coded.columns if name.endswith("_as_read")]
    return coded.drop(*(set(spelled) - set(_filled(coded, spelled)))), codes


def _filled(table: ir.Table, names: Sequence[str]) -> list[str]:
    """Return those of the columns that hold a value anywhere."""
    counts = table.aggregate(**{name: table[name].count() for name in names})
    return [name for name, n in counts.to_pyarrow().to_pylist()[0].items() if n]


def _text_if_other(typed: ir.Table, name: str) -> ir.StringValue:
    given_back = typed[f"typed_{name}"].cast("string").identical_to(typed[name])
    return ibis.ifelse(given_back, ibis.null("string"), typed[name])


def _text_as_read(table: ir.Table, name: str) -> ir.StringValue:
    """Return the text of a column as it was in the file."""
    if name not in table.columns:
        return ibis.null("string")
    typed = table[name].cast("string")
    spelled = f"{name}_as_read"
    return ibis.coalesce(table[spelled], typed) if spelled in table.columns else typed


def _rejected(coded: ir.Table, codes: dict[str, ir.Table]) -> ir.Table:
    """Return the rejected rows as they were read, with their rule."""
    rejected = decode(coded.filter(coded.rule.notnull()), codes)
    texts = {name: _text_as_read(rejected, name) for name in RAW_COLUMNS}
    return rejected.select(**texts, rule=rejected.rule)


def _row_rules(
    typed: ir.Table, profile: TimestampProfile, settings: InteractionSettings
) -> list[Rule]:
    """Rules that look at one row alone, in the order in which they apply."""
    rules = [
        Rule("missing_user_id", "The row names no user.", is_blank(typed.user_id)),
        Rule("missing_item_id", "The row names no item.", is_blank(typed.item_id)),
        Rule("unknown_item", "The item is not in the items file.", typed.in_catalogue.isnull()),
        Rule("rejected_item", "The item was rejected from the catalogue.", ~typed.in_catalogue),
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
    for name in _NUMBERS:
        unreadable = ~is_blank(typed[name]) & typed[f"typed_{name}"].isnull()
        reason = f"The {name} is no finite number."
        rules.append(Rule(f"invalid_{name}", reason, unreadable))
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


def _reject_robots(
    classified: ir.Table, settings: InteractionSettings
) -> tuple[ir.Table, list[Rule]]:
    """Reject all rows of users who behave like robots, where that is asked for."""
    if settings.robots.method == "off":
        return classified, []
    acceptable = classified.filter(classified.rule.isnull())
    features = user_features(acceptable).to_pandas()
    robots = features.loc[suspicious(features, settings.robots, settings.seed), "user_id"]
    is_robot = classified.user_id.isin(robots.to_list())
    reason = "The user's rate, breadth or regularity is that of a robot or reseller."
    return _classify(classified, [Rule("robot", reason, is_robot)])


def _reject_repeats(
    classified: ir.Table, double_click_seconds: float | None
) -> tuple[ir.Table, list[Rule]]:
    """Reject rows that repeat an acceptable one exactly, or too soon to be meant.

    The time since the previous row counts, whether that one is kept or not: of a burst of clicks
    the first is left, and cleaning twice is cleaning once.
    """
    names = classified.columns
    rejected = classified.filter(classified.rule.notnull())
    acceptable = classified.filter(classified.rule.isnull()).drop("rule")
    numbers = [name for name in ("rating", "quantity") if name in names]
    spelled = [name for name in ("timestamp", *_NUMBERS) if f"{name}_as_read" in names]
    timing = [name for name in ("timestamp", "dwell_seconds") if name in names]
    window = ibis.window(
        group_by=["user_id", "item_id", "event_type", *numbers],
        order_by=[
            *(acceptable[name] for name in timing),
            *(_text_as_read(acceptable, name) for name in spelled),
        ],
    )
    # In one step: two windows might order equal rows differently.
    ranked = acceptable.mutate(
        position=ibis.row_number().over(window),
        **{f"{name}_before": acceptable[name].lag().over(window) for name in timing},
    )
    again = ibis.and_(
        ranked.position > 0,
        *(ranked[f"{name}_before"].identical_to(ranked[name]) for name in timing),
    )
    rules = [Rule("duplicate", "The row repeats another one exactly.", again)]
    if double_click_seconds is not None:
        soon = ranked.timestamp - ranked.timestamp_before <= double_click_seconds
        reason = f"The same event happened {double_click_seconds:g} s before or less."
        rules.append(Rule("double_click", reason, soon))
    return ranked.mutate(rule=first_rule(rules)).select(*names).union(rejected), rules


def _reject_outside_core(
    classified: ir.Table, codes: dict[str, ir.Table], settings: InteractionSettings
) -> tuple[ir.Table, list[Rule], dict[str, Any]]:
    """Reject the rows outside the k-core, where one is asked for, and count what it costs."""
    if settings.k_core is None:
        return classified, [], {}
    pairs = classified.filter(classified.rule.isnull()).select("user_id", "item_id").distinct()
    core = k_core(pairs, settings.k_core)
    ids = {name: codes[name] for name in ("user_id", "item_id")}
    cost = {"k_core": describe_cost(decode(pairs, ids), decode(core, ids), settings.k_core)}
    keys = ["user_id", "item_id"]
    joined = classified.left_join(core.mutate(in_core=ibis.literal(True)), keys)
    joined = joined.drop("user_id_right", "item_id_right")
    reason = f"The user or the item has fewer than {settings.k_core} partners (k-core)."
    outside, rules = _classify(
        joined, [Rule("outside_k_core", reason, joined.in_core.isnull())], "in_core"
    )
    return outside.cache(), rules, cost


def _classify(table: ir.Table, rules: list[Rule], *helpers: str) -> tuple[ir.Table, list[Rule]]:
    """Apply rules to the rows that no earlier rule rejected, and drop the helper columns."""
    rule = ibis.coalesce(table.rule, first_rule(rules))
    return table.mutate(rule=rule).drop(*helpers), rules


def _kept(classified: ir.Table, codes: dict[str, ir.Table], signals: Signals | None) -> ir.Table:
    """Return the kept rows with their weight; ids and event types are codes."""
    kept = classified.filter(classified.rule.isnull())
    empty = [name for name in _NUMBERS if name not in kept.columns]
    kept = kept.mutate(**dict.fromkeys(empty, ibis.null("float64")))
    if signals is None:
        return kept.mutate(weight=event_weight(kept, None)).select(*INTERACTION_COLUMNS)
    # The code stays beside its text.
    events = decode(kept.mutate(kind=kept.event_type), {"event_type": codes["event_type"]})
    weighed = events.mutate(weight=event_weight(events, signals), event_type=events.kind)
    return weighed.select(*INTERACTION_COLUMNS).cache()


def _describe_events(interactions: ir.Table, codes: dict[str, ir.Table]) -> list[dict[str, Any]]:
    """Count the kept rows of every event type, and say what they weigh on average."""
    by_type = interactions.group_by("event_type").aggregate(
        rows=interactions.count(), weight=millionths(interactions.weight).sum()
    )
    by_type = decode(by_type, {"event_type": codes["event_type"]})
    found = by_type.order_by(by_type.rows.desc(), by_type.event_type).to_pyarrow().to_pylist()
    return [
        {
            "event_type": row["event_type"] or "",
            "rows": row["rows"],
            "mean_weight": round(row["weight"] / MILLIONTHS / row["rows"], 6),
        }
        for row in found
    ]


def _describe(profile: TimestampProfile) -> dict[str, Any]:
    return {"kind": profile.kind, "calendar_share": profile.calendar_share}


def _nothing_left(report: dict[str, Any]) -> str:
    counts = [f"{rule} {n}" for rule, n in report["rejected_by_rule"].items() if n]
    return (
        f"No interaction is left of the {report['rows_in']} rows of the interactions file "
        f"(rejected: {', '.join(counts)}). Check that both files belong together and that the "
        "parameters of behaviour_cleaning fit them."
    )
