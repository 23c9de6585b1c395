"""How much an event says about what a user likes: events to weights, weights to pairs."""

from typing import Literal

import ibis
import ibis.expr.types as ir
from pydantic import BaseModel, ConfigDict, Field

from longtail.behaviour.columns import stripped

MILLIONTHS = 1_000_000
"""Weights are added up as integer millionths: such sums do not depend on the order of the rows."""
_DAY = 86_400
_CALENDAR = 1e8


class Dwell(BaseModel):
    """How long a user stayed, as evidence; needs the column dwell_seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    events: tuple[str, ...] = Field(description="Event types whose dwell time counts.")
    short_seconds: float = Field(ge=0, description="Below it the user turned away.")
    short_weight: float = Field(description="Weight of such an event; 0 or less: no liking.")
    long_seconds: float = Field(gt=0, description="From here on the user stayed.")
    long_weight: float = Field(gt=0, description="Weight of such an event.")


class Signals(BaseModel):
    """What events, ratings, quantities and repeats weigh.

    The weight of an event of its type is multiplied with what its rating and quantity say. Negative
    weights are evidence against. The sum x of a user-item pair becomes x (s + 1) / (x + s) with s =
    ``saturation``, the term-frequency part of BM25 (Robertson and Zaragoza, 2009); pairs whose sum
    is not above 0 are no interactions.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    event_weights: dict[str, float] = Field(
        default={}, description="Weight by event type, in lower case; below 0: evidence against."
    )
    other_weight: float = Field(
        default=1.0, ge=0, description="Weight of event types that are not named, or empty."
    )
    dwell: Dwell | None = Field(default=None, description="Use of the dwell time; null: none.")
    ratings: Literal["ignore", "threshold", "user_mean"] = Field(
        default="ignore",
        description="threshold: ratings below liked_from multiply the weight with low_rating; "
        "user_mean: the weight is multiplied with 1 + (rating - mean) / rating_step, within -1 "
        "and 2, where the mean is over the user's ratings until then.",
    )
    liked_from: float = Field(
        default=3.5,
        description="Smallest rating that says a user liked an item; under user_mean it decides "
        "for ratings without time, whose past is unknown.",
    )
    low_rating: float = Field(
        default=-1.0, le=0, description="Factor of a low rating: 0 removes the event, -1 turns it."
    )
    rating_step: float = Field(
        default=2.0, gt=0, description="Distance to the user's mean that doubles or removes."
    )
    quantities: Literal["ignore", "log"] = Field(
        default="ignore",
        description="log: the weight is multiplied with log2(1 + quantity), so one counts once; "
        "a negative quantity is a return.",
    )
    saturation: float = Field(
        default=10.0,
        ge=0,
        description="Weight at which a pair reaches half of all that it can; 0: repeats and "
        "strength do not count, every pair weighs 1.",
    )
    half_life_days: float | None = Field(
        default=None,
        gt=0,
        description="Age, before the end of the period, at which an event counts half; null: "
        "age does not count. Used where times are calendar times.",
    )


def event_weight(events: ir.Table, signals: Signals | None) -> ir.FloatingValue:
    """Return the weight of every event (float64; not above 0: evidence against).

    No statistic looks ahead: a user's mean rating is that of the ratings until the event, those of
    the same moment included.

    Args:
        events: user_id, event_type, rating, quantity, dwell_seconds (float64 or null), timestamp.
        signals: What weighs how much; None: every event weighs 1.
    """
    if signals is None:
        return ibis.literal(1, type="int64").cast("float64")
    kind = stripped(events.event_type.fill_null("")).lower()
    by_type = [(kind == name.lower(), weight) for name, weight in signals.event_weights.items()]
    weight = ibis.cases(*by_type, else_=signals.other_weight) if by_type else signals.other_weight
    if signals.dwell is not None:
        weight = _with_dwell(weight, kind, events.dwell_seconds, signals.dwell)
    if signals.ratings != "ignore":
        weight *= _rating_factor(events, signals).fill_null(1.0)
    if signals.quantities == "log":
        amount = events.quantity.abs() + 1
        weight *= (events.quantity.sign() * amount.log2()).fill_null(1.0)
    return _cast(weight)


def _cast(weight: ir.NumericValue | float) -> ir.FloatingValue:
    """Make a weight a float64: as a literal it would reach the Parquet file as a decimal."""
    return (ibis.literal(weight) if isinstance(weight, float) else weight).cast("float64")


def _with_dwell(
    weight: ir.NumericValue | float, kind: ir.StringValue, seconds: ir.FloatingValue, dwell: Dwell
) -> ir.NumericValue:
    counts = kind.isin([name.lower() for name in dwell.events])
    return ibis.cases(
        (counts & (seconds < dwell.short_seconds), dwell.short_weight),
        (counts & (seconds >= dwell.long_seconds), dwell.long_weight),
        else_=weight,
    )


def _rating_factor(events: ir.Table, signals: Signals) -> ir.FloatingValue:
    """Return the factor of every event's rating, null without rating."""
    by_threshold = ibis.cases(
        (events.rating >= signals.liked_from, 1.0), (events.rating.notnull(), signals.low_rating)
    ).cast("float64")
    if signals.ratings == "threshold":
        return by_threshold
    until_then = ibis.range_window(following=0, group_by=events.user_id, order_by=events.timestamp)
    lead = events.rating - events.rating.mean().over(until_then)
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
    """Halve a weight with every half-life between its time and the end of its period.

    Args:
        weight: Weight of the event.
        timestamp: Unix seconds; positions and unknown times do not age.
        end: Unix second at which the period ends, null where it has no end.
        half_life_days: Half-life in days; None: no event ages.
    """
    if half_life_days is None:
        return weight
    ages = ibis.ifelse(timestamp >= _CALENDAR, (end - timestamp).cast("float64"), 0.0)
    days = ages.fill_null(0.0).clip(lower=0.0) / _DAY
    return weight * ibis.literal(0.5).cast("float64") ** (days / half_life_days)


def saturated(evidence: ir.FloatingValue, saturation: float) -> ir.FloatingValue:
    """Let added evidence above 0 level off: x (s + 1) / (x + s)."""
    return evidence * (saturation + 1) / (evidence + saturation)
