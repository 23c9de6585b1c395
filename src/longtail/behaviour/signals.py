"""Weights of events, and of user-item pairs, as evidence that a user likes an item."""

from typing import Literal, Self

import ibis
import ibis.expr.types as ir
from pydantic import BaseModel, ConfigDict, Field, model_validator

from longtail.behaviour.cleaning.columns import stripped

MILLIONTHS = 1_000_000
"""Weights are summed as integer millionths, so that sums do not depend on the order of the rows."""
_DAY = 86_400
_CALENDAR = 1e8


class Dwell(BaseModel):
    """How dwell time changes the weight of an event; needs the column dwell_seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    events: tuple[str, ...] = Field(
        description="Event types whose dwell time counts, in any case; the weight of the others "
        "does not change."
    )
    short_seconds: float = Field(
        ge=0, description="Seconds; a shorter stay counts as a rejection of the item."
    )
    short_weight: float = Field(
        description="Weight of an event with a short stay; 0: no evidence, below 0: evidence "
        "against the item."
    )
    long_seconds: float = Field(
        gt=0, description="Seconds; a stay of at least this length counts as interest."
    )
    long_weight: float = Field(gt=0, description="Weight of an event with a long stay.")

    @model_validator(mode="after")
    def _short_is_shorter(self) -> Self:
        if self.short_seconds >= self.long_seconds:
            raise ValueError(
                f"short_seconds is {self.short_seconds:g} and must be below long_seconds, which is"
                f" {self.long_seconds:g}"
            )
        return self


class Signals(BaseModel):
    """How much event types, ratings, quantities, repeats and age count.

    The weight of an event is the weight of its type times the factors of its rating and quantity.
    Negative weights are evidence against an item. The sum x of a user-item pair becomes
    x (s + 1) / (x + s) with s = ``saturation``, the term-frequency part of BM25 (Robertson and
    Zaragoza, 2009); pairs whose sum is not above 0 are dropped.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    event_weights: dict[str, float] = Field(
        default={},
        description="Weight of each event type, matched in any case; below 0: evidence against the "
        "item.",
    )
    other_weight: float = Field(
        default=1.0, ge=0, description="Weight of an event whose type is empty or not listed."
    )
    dwell: Dwell | None = Field(default=None, description="Use of the dwell time; null ignores it.")
    ratings: Literal["ignore", "threshold", "user_mean"] = Field(
        default="ignore",
        description="How ratings change the weight. threshold: a rating below liked_from "
        "multiplies it by low_rating. user_mean: it is multiplied by 1 + (rating - mean) / "
        "rating_step, limited to -1 to 2, with the mean of the user's ratings up to that moment.",
    )
    liked_from: float = Field(
        default=3.5,
        description="Lowest rating that counts as liking the item, on the scale of the data. Under "
        "user_mean it applies to ratings without a timestamp, for which no earlier ratings are "
        "known.",
    )
    low_rating: float = Field(
        default=-1.0,
        le=0,
        description="Factor of a rating below liked_from: 0 ignores the event, -1 makes it "
        "evidence against the item.",
    )
    rating_step: float = Field(
        default=2.0,
        gt=0,
        description="user_mean: distance from the user's mean, in rating points, at which the "
        "weight doubles (above the mean) or becomes 0 (below it).",
    )
    quantities: Literal["ignore", "log"] = Field(
        default="ignore",
        description="log: the weight is multiplied by log2(1 + quantity), which is 1 for one "
        "piece; a negative quantity is a return.",
    )
    saturation: float = Field(
        default=10.0,
        ge=0,
        description="Summed weight at which a pair reaches half of the largest possible weight; 0: "
        "every pair weighs 1, whatever its events.",
    )
    half_life_days: float | None = Field(
        default=None,
        gt=0,
        description="Days before the end of the period after which an event counts half; null: "
        "age does not count. Applies only to calendar times.",
    )


def event_weight(events: ir.Table, signals: Signals | None) -> ir.FloatingValue:
    """Return the weight of every event (float64; not above 0: evidence against the item).

    Nothing looks ahead: a user's mean rating covers the ratings up to the event, including those of
    the same moment.

    Args:
        events: user_id, event_type, rating, quantity, dwell_seconds (float64 or null), timestamp.
        signals: the weights; None: every event weighs 1.
    """
    if signals is None:
        return ibis.literal(1, type="int64").cast("float64")
    event_type = stripped(events.event_type.fill_null("")).lower()
    by_type = [(event_type == name.lower(), w) for name, w in signals.event_weights.items()]
    weight = ibis.cases(*by_type, else_=signals.other_weight) if by_type else signals.other_weight
    if signals.dwell is not None:
        weight = _with_dwell(weight, event_type, events.dwell_seconds, signals.dwell)
    if signals.ratings != "ignore":
        weight *= _rating_factor(events, signals).fill_null(1.0)
    if signals.quantities == "log":
        amount = events.quantity.abs() + 1
        weight *= (events.quantity.sign() * amount.log2()).fill_null(1.0)
    return _as_float64(weight)


def _as_float64(weight: ir.NumericValue | float) -> ir.FloatingValue:
    """Cast a weight to float64: a literal would reach the Parquet file as a decimal."""
    return (ibis.literal(weight) if isinstance(weight, float) else weight).cast("float64")


def _with_dwell(
    weight: ir.NumericValue | float,
    event_type: ir.StringValue,
    seconds: ir.FloatingValue,
    dwell: Dwell,
) -> ir.NumericValue:
    counts = event_type.isin([name.lower() for name in dwell.events])
    return ibis.cases(
        (counts & (seconds < dwell.short_seconds), dwell.short_weight),
        (counts & (seconds >= dwell.long_seconds), dwell.long_weight),
        else_=weight,
    )


def _rating_factor(events: ir.Table, signals: Signals) -> ir.FloatingValue:
    """Return the factor of every event's rating, null where there is no rating."""
    by_threshold = ibis.cases(
        (events.rating >= signals.liked_from, 1.0), (events.rating.notnull(), signals.low_rating)
    ).cast("float64")
    if signals.ratings == "threshold":
        return by_threshold
    so_far = ibis.range_window(following=0, group_by=events.user_id, order_by=events.timestamp)
    lead = events.rating - events.rating.mean().over(so_far)
    against_mean = (1 + lead / signals.rating_step).clip(-1.0, 2.0)
    return ibis.ifelse(events.timestamp.isnull(), by_threshold, against_mean)


def millionths(weight: ir.FloatingValue) -> ir.IntegerValue:
    """Round a weight to integer millionths."""
    return (weight * MILLIONTHS + 0.5).floor().cast("int64")


def decayed(
    weight: ir.FloatingValue,
    timestamp: ir.IntegerValue,
    end: ir.IntegerValue,
    half_life_days: float | None,
) -> ir.FloatingValue:
    """Halve a weight for every half-life between the event and the end of its period.

    Args:
        weight: weight of the event.
        timestamp: unix seconds; ordinal positions and unknown times do not decay.
        end: unix second at which the period ends, null for an open period.
        half_life_days: half-life in days; None: no decay.
    """
    if half_life_days is None:
        return weight
    ages = ibis.ifelse(timestamp >= _CALENDAR, (end - timestamp).cast("float64"), 0.0)
    days = ages.fill_null(0.0).clip(lower=0.0) / _DAY
    return weight * ibis.literal(0.5).cast("float64") ** (days / half_life_days)


def saturated(evidence: ir.FloatingValue, saturation: float) -> ir.FloatingValue:
    """Saturate summed evidence above 0: x (s + 1) / (x + s)."""
    return evidence * (saturation + 1) / (evidence + saturation)
