"""The rules that reject rows of the behaviour log."""

from dataclasses import dataclass, field
from typing import Any, Literal

import ibis
import ibis.expr.types as ir

from longtail.behaviour.cleaning.bots import BotDetection, bot_features, flag_bots
from longtail.behaviour.cleaning.codes import decode
from longtail.behaviour.cleaning.columns import is_blank, is_missing
from longtail.behaviour.cleaning.decimal_signs import DecimalChoice
from longtail.behaviour.cleaning.k_core import describe_cost, k_core
from longtail.behaviour.cleaning.parsing import TimestampProfile
from longtail.behaviour.cleaning.rules import Rule, first_rule
from longtail.behaviour.cleaning.typed_rows import NUMBERS, text_as_read
from longtail.behaviour.computed import computed
from longtail.behaviour.signals import Signals
from longtail.behaviour.splits import ProtocolChoice
from longtail.errors import UserError

TEMPORAL_SHARE = 0.95
"""Share of rows with a calendar time from which the protocol "auto" may be temporal."""


@dataclass(frozen=True)
class InteractionSettings:
    """Which interactions are accepted, and what they weigh.

    Attributes:
        timestamps: "auto" detects the kind of the times; "calendar" or "ordinal" sets it.
        protocol: split protocol; under a temporal one a row needs a time.
        timestamp_format: format of the times, with the directives of Python's ``strptime``; None:
            unix times, ISO 8601, dates as numbers, or positions.
        earliest: first plausible unix second.
        latest: last plausible unix second.
        min_rating: rated rows below it are rejected; None accepts every rating.
        double_click_seconds: a repeat of the same event within these seconds is rejected, where
            times are calendar times; None: kept.
        bots: how bots are detected.
        k_core: smallest number of partners of a user and of an item; None keeps all.
        signals: weights of the events; None: every event weighs 1.
        seed: seed of the isolation forest.
        missing_ids: texts, in lower case, that stand for a missing id.
        max_rejected_share: a rule that rejects a larger share of the rows is reported.
        min_group_size: values that fewer users have are not shown as examples.
        decimal_sign: "auto" detects the decimal sign of each column; "point" or "comma" sets it.
    """

    timestamps: Literal["auto", "calendar", "ordinal"]
    protocol: ProtocolChoice
    earliest: int
    latest: int
    min_rating: float | None = None
    double_click_seconds: float | None = None
    bots: BotDetection = field(default_factory=BotDetection)
    k_core: int | None = None
    signals: Signals | None = None
    seed: int = 0
    missing_ids: tuple[str, ...] = ()
    max_rejected_share: float = 0.01
    min_group_size: int = 1
    timestamp_format: str | None = None
    decimal_sign: DecimalChoice = "auto"


def row_rules(
    typed: ir.Table, profile: TimestampProfile, settings: InteractionSettings
) -> list[Rule]:
    """Return the rules that look at a single row, in the order in which they apply."""
    rules = [
        Rule(
            "missing_user_id",
            "The row has no user id.",
            is_missing(typed.user_id, settings.missing_ids),
        ),
        Rule(
            "missing_item_id",
            "The row has no item id.",
            is_missing(typed.item_id, settings.missing_ids),
        ),
        Rule("unknown_item", "The item is not in the items file.", typed.in_catalogue.isnull()),
        Rule(
            "rejected_item",
            "The item was rejected when the items file was cleaned.",
            ~typed.in_catalogue,
        ),
        Rule(
            "unparsable_timestamp",
            "The timestamp is neither a number (a unix time or a position) nor ISO 8601."
            if settings.timestamp_format is None
            else f"The timestamp does not have the format {settings.timestamp_format}.",
            ~is_blank(typed.timestamp) & typed.typed_timestamp.isnull(),
        ),
    ]
    if profile.kind == "calendar":
        plausible = typed.typed_timestamp.between(settings.earliest, settings.latest)
        reason = "The timestamp is before earliest_date or after latest_date."
        rules.append(Rule("implausible_timestamp", reason, ~plausible))
    if _needs_time(profile, settings.protocol):
        reason = "The row has no timestamp, which a temporal split needs."
        rules.append(Rule("missing_timestamp", reason, typed.typed_timestamp.isnull()))
    for name in NUMBERS:
        unreadable = ~is_blank(typed[name]) & typed[f"typed_{name}"].isnull()
        reason = f"The value of {name} is not a finite number."
        rules.append(Rule(f"invalid_{name}", reason, unreadable))
    if settings.min_rating is not None:
        low = typed.typed_rating < settings.min_rating
        reason = f"The rating is below {settings.min_rating:g}."
        rules.append(Rule("below_min_rating", reason, low))
    return rules


def _needs_time(profile: TimestampProfile, protocol: ProtocolChoice) -> bool:
    """Return whether the split will be temporal, so that every row needs a time."""
    if protocol == "temporal" and profile.kind != "calendar":
        found = "positions, not times," if profile.kind == "ordinal" else "no times"
        raise UserError(
            f"The interactions file holds {found} in the column timestamp, so it cannot be split "
            "by time. Set the parameter behaviour_cleaning.protocol to per_user or auto."
        )
    by_share = protocol == "auto" and profile.calendar_share >= TEMPORAL_SHARE
    return protocol == "temporal" or by_share


def reject_bots(classified: ir.Table, settings: InteractionSettings) -> tuple[ir.Table, list[Rule]]:
    """Reject all rows of detected bots, where detection is on."""
    if settings.bots.method == "off":
        return classified, []
    acceptable = classified.filter(classified.rule.isnull())
    features = bot_features(acceptable).to_pandas()
    bots = features.loc[flag_bots(features, settings.bots, settings.seed), "user_id"]
    is_bot = classified.user_id.isin(bots.to_list())
    reason = "The user's rate, breadth or regularity is that of a bot or reseller."
    return _classify(classified, [Rule("bot", reason, is_bot)])


def reject_repeats(
    classified: ir.Table, double_click_seconds: float | None
) -> tuple[ir.Table, list[Rule]]:
    """Reject exact copies of an accepted row, and repeats that follow too soon.

    The time since the previous row counts, whether that row is kept or not: only the first of a
    burst of clicks is kept, and cleaning the result again changes nothing.
    """
    names = classified.columns
    rejected = classified.filter(classified.rule.notnull())
    acceptable = classified.filter(classified.rule.isnull()).drop("rule")
    numbers = [name for name in ("rating", "quantity") if name in names]
    as_read = [name for name in ("timestamp", *NUMBERS) if f"{name}_as_read" in names]
    timing = [name for name in ("timestamp", "moment", "dwell_seconds") if name in names]
    window = ibis.window(
        group_by=["user_id", "item_id", "event_type", *numbers],
        order_by=[
            *(acceptable[name] for name in timing),
            *(text_as_read(acceptable, name) for name in as_read),
        ],
    )
    # One step, because two windows could order equal rows differently.
    ranked = acceptable.mutate(
        position=ibis.row_number().over(window),
        **{f"{name}_before": acceptable[name].lag().over(window) for name in timing},
    )
    is_copy = ibis.and_(
        ranked.position > 0,
        *(ranked[f"{name}_before"].identical_to(ranked[name]) for name in timing),
    )
    rules = [Rule("duplicate", "The row is an exact copy of another row.", is_copy)]
    if double_click_seconds is not None:
        soon = ranked.timestamp - ranked.timestamp_before <= double_click_seconds
        reason = f"The same event happened at most {double_click_seconds:g} s earlier."
        rules.append(Rule("double_click", reason, soon))
    return ranked.mutate(rule=first_rule(rules)).select(*names).union(rejected), rules


def reject_outside_core(
    classified: ir.Table, codes: dict[str, ir.Table], settings: InteractionSettings
) -> tuple[ir.Table, list[Rule], dict[str, Any]]:
    """Reject the rows outside the k-core, where one is set, and count what that costs."""
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
    return computed(outside), rules, cost


def _classify(table: ir.Table, rules: list[Rule], *helpers: str) -> tuple[ir.Table, list[Rule]]:
    """Apply rules to the rows that no earlier rule rejected, and drop the helper columns."""
    rule = ibis.coalesce(table.rule, first_rule(rules))
    return table.mutate(rule=rule).drop(*helpers), rules
