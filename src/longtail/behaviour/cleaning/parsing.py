"""Parsing of times and numbers that are read as text."""

import sys
from dataclasses import dataclass
from typing import Any, Literal

import ibis
import ibis.expr.types as ir

from longtail.behaviour.cleaning.columns import is_blank, stripped

TimestampKind = Literal["calendar", "ordinal", "none"]

ORDINAL_LIMIT = 1e8
"""If all numbers are smaller, they are positions: as unix seconds they end in March 1973."""
MILLISECONDS_LIMIT = 1e11
"""Numbers from here on are milliseconds: as unix seconds they would be after the year 5000."""
_EXACT_LIMIT = 2.0**53
_LARGEST = sys.float_info.max
_ZONE = r":\d{2}(?:\.\d+)?\s*([Zz]|[+-]\d{2}:?\d{2}|[+-]\d{2})$"


@dataclass(frozen=True)
class TimestampProfile:
    """What the time column of a file holds.

    Attributes:
        kind: "calendar" (unix seconds, milliseconds, ISO 8601), "ordinal" positions, or "none".
        rows: rows of the file.
        calendar_rows: rows with a calendar time within the plausible bounds.
        has_text: whether some times are not numbers, and so may be ISO 8601.
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
    """Parse text as a finite float64; null for anything else (empty, NaN, infinite, words)."""
    number = text.try_cast("float64")
    # NaN fails the comparison too: engines order it after infinity.
    return ibis.ifelse(number.abs() <= _LARGEST, number, ibis.null("float64"))


def parse_calendar(text: ir.StringValue, *, has_text: bool = True) -> ir.IntegerValue:
    """Parse unix seconds, unix milliseconds or ISO 8601 (UTC where no zone is given).

    Args:
        text: times as read.
        has_text: whether any may be ISO 8601, which costs more to parse than everything else.

    Returns:
        int64 unix seconds, rounded down; null where the text is none of the three.
    """
    number = _exact(parse_number(text))
    seconds = ibis.ifelse(number.abs() >= MILLISECONDS_LIMIT, number / 1000, number)
    if has_text:
        seconds = ibis.coalesce(seconds, _parse_iso(stripped(text)))
    return seconds.floor().cast("int64")


def parse_ordinal(text: ir.StringValue) -> ir.IntegerValue:
    """Parse positions as int64; null where the text is not a number."""
    return _exact(parse_number(text)).floor().cast("int64")


def profile_timestamps(
    timestamp: ir.StringColumn, *, kind: str, earliest: int, latest: int
) -> TimestampProfile:
    """Detect what a time column holds; one pass over the table, two where it holds text.

    Args:
        timestamp: column as read.
        kind: "calendar" or "ordinal" sets the kind; "auto" detects it: the times are positions if
            all are numbers below 1e8.
        earliest: first plausible unix second.
        latest: last plausible unix second.
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
    found: dict[str, Any] = facts.to_pyarrow().to_pylist()[0]
    return found


def _parse_iso(text: ir.StringValue) -> ir.FloatingValue:
    """Parse ISO 8601 as unix seconds; the zone is split off, since engines parse it differently."""
    zone = text.re_extract(_ZONE, 1).fill_null("")
    local = text.left(text.length() - zone.length()).try_cast("timestamp").epoch_seconds()
    digits = zone.replace(":", "").replace("Z", "").replace("z", "").rpad(5, "0")
    minutes = 60 * digits.substr(1, 2).cast("int64") + digits.substr(3, 2).cast("int64")
    ahead = ibis.ifelse(zone.startswith("-"), -60, 60) * minutes
    return local.cast("float64") - ahead.cast("float64")


def _exact(number: ir.FloatingValue) -> ir.FloatingValue:
    """Keep numbers whose integer part float64 represents exactly; null for larger ones."""
    return ibis.ifelse(number.abs() < _EXACT_LIMIT, number, ibis.null("float64"))
