"""Typing of times and numbers that arrive as text."""

import sys
from dataclasses import dataclass
from typing import Any, Literal

import ibis
import ibis.expr.types as ir

from longtail.behaviour.columns import is_blank, stripped

TimestampKind = Literal["calendar", "ordinal", "none"]

ORDINAL_LIMIT = 1e8
"""Numbers below it everywhere are positions: as unix seconds they would lie before March 1973."""
MILLISECONDS_LIMIT = 1e11
"""Numbers from here on are milliseconds: as unix seconds they would lie after the year 5000."""
_EXACT_LIMIT = 2.0**53
_LARGEST = sys.float_info.max
_ZONE = r":\d{2}(?:\.\d+)?\s*([Zz]|[+-]\d{2}:?\d{2}|[+-]\d{2})$"


@dataclass(frozen=True)
class TimestampProfile:
    """What the time column of a file holds.

    Attributes:
        kind: "calendar" (unix seconds, milliseconds, ISO 8601), "ordinal" positions, or "none".
        rows: Rows of the file.
        calendar_rows: Rows whose time is a calendar time within the plausible bounds.
        has_text: Whether some times are no numbers, so that they may be ISO 8601.
    """

    kind: TimestampKind
    rows: int
    calendar_rows: int
    has_text: bool = False

    @property
    def calendar_share(self) -> float:
        """Share of rows with a plausible calendar time."""
        return self.calendar_rows / self.rows if self.rows else 0.0


def parse_number(text: ir.StringValue) -> ir.FloatingValue:
    """Read text as a finite float64; null for everything else (empty, NaN, infinite, words)."""
    number = text.try_cast("float64")
    # Engines order NaN after infinity.
    return ibis.ifelse(number.abs() <= _LARGEST, number, ibis.null("float64"))


def parse_calendar(text: ir.StringValue, *, has_text: bool = True) -> ir.IntegerValue:
    """Read unix seconds, unix milliseconds or ISO 8601 (UTC when it names no zone).

    Args:
        text: Times as read.
        has_text: Whether any may be ISO 8601; looking for it costs more than all the rest.

    Returns:
        int64 unix seconds, fractions cut off; null where the text is none of the three.
    """
    number = _exact(parse_number(text))
    seconds = ibis.ifelse(number.abs() >= MILLISECONDS_LIMIT, number / 1000, number)
    if has_text:
        seconds = ibis.coalesce(seconds, _parse_iso(stripped(text)))
    return seconds.floor().cast("int64")


def parse_ordinal(text: ir.StringValue) -> ir.IntegerValue:
    """Read positions as int64; null where the text is no number."""
    return _exact(parse_number(text)).floor().cast("int64")


def profile_timestamps(
    timestamp: ir.StringColumn, *, kind: str, earliest: int, latest: int
) -> TimestampProfile:
    """Say what a time column holds, in one pass over the table, or two where not all are numbers.

    Args:
        timestamp: Column as read.
        kind: "calendar" or "ordinal" to prescribe it, "auto" to look: numbers whose maximum is
            below 1e8, with no ISO 8601 text beside them, are positions.
        earliest: First plausible unix second.
        latest: Last plausible unix second.
    """
    table = timestamp.name("text").as_table()
    found = _facts(table, earliest, latest, has_text=False)
    has_text = found["numbers"] < (found["filled"] or 0)
    if has_text:
        found = _facts(table, earliest, latest, has_text=True)
    only_numbers = found["calendar"] == found["numbers"] > 0
    if not found["filled"]:
        return TimestampProfile("none", found["rows"], 0)
    if kind == "ordinal" or (kind == "auto" and only_numbers and found["largest"] < ORDINAL_LIMIT):
        return TimestampProfile("ordinal", found["rows"], 0)
    return TimestampProfile("calendar", found["rows"], found["plausible"] or 0, has_text)


def _facts(table: ir.Table, earliest: int, latest: int, *, has_text: bool) -> dict[str, Any]:
    number = parse_number(table.text)
    calendar = parse_calendar(table.text, has_text=has_text)
    facts = table.aggregate(
        rows=table.count(),
        filled=(~is_blank(table.text)).sum(),
        numbers=number.count(),
        largest=number.max(),
        calendar=calendar.count(),
        plausible=calendar.between(earliest, latest).sum(),
    )
    return facts.to_pyarrow().to_pylist()[0]


def _parse_iso(text: ir.StringValue) -> ir.FloatingValue:
    """Read ISO 8601 as unix seconds; the zone is taken off first, engines read it differently."""
    zone = text.re_extract(_ZONE, 1).fill_null("")
    local = text.left(text.length() - zone.length()).try_cast("timestamp").epoch_seconds()
    digits = zone.replace(":", "").replace("Z", "").replace("z", "").rpad(5, "0")
    minutes = 60 * digits.substr(1, 2).cast("int64") + digits.substr(3, 2).cast("int64")
    ahead = ibis.ifelse(zone.startswith("-"), -60, 60) * minutes
    return local.cast("float64") - ahead.cast("float64")


def _exact(number: ir.FloatingValue) -> ir.FloatingValue:
    """Keep the numbers that float64 holds exactly as integers."""
    return ibis.ifelse(number.abs() < _EXACT_LIMIT, number, ibis.null("float64"))
