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
UNITS = {"seconds": 1e11, "milliseconds": 1e14, "microseconds": 1e17, "nanoseconds": 1e20}
"""Units of unix times and the number from which the next unit begins: from 1e11 on, seconds would
be after the year 5000, and so on."""
SPREADSHEET_EPOCH = 25_569
"""1970-01-01 in days since 1899-12-30, the serial numbers of spreadsheets."""
_DAY = 86_400
LARGEST_PRICE = 1e12
_EXACT_LIMIT = 2.0**53
_LARGEST = sys.float_info.max
_FRACTION = r":\d{2}(\.\d+\s*)$"
_ZONE = r":\d{2}(?:\.\d+)?\s*([Zz]|[+-]\d{2}:?\d{2}|[+-]\d{2})$"


@dataclass(frozen=True)
class TimestampProfile:
    """What the time column of a file holds.

    Attributes:
        kind: "calendar" (unix times, ISO 8601, dates as numbers), "ordinal" positions, or "none".
        rows: rows of the file.
        calendar_rows: rows with a calendar time within the plausible bounds.
        has_text: whether some times are not numbers, and so may be ISO 8601.
        unit: what a number is: the unit of a unix time, "spreadsheet days" (since 1899-12-30),
            "yyyymmdd", "positions", "fractional positions", which become their ranks, or the
            format that the user gave.
        has_fractions: whether some calendar times have fractions of a second.
    """

    kind: TimestampKind
    rows: int
    calendar_rows: int
    has_text: bool = False
    unit: str = ""
    has_fractions: bool = False

    @property
    def calendar_share(self) -> float:
        """Share of rows with a plausible calendar time."""
        return self.calendar_rows / self.rows if self.rows else 0.0


def parse_number(text: ir.StringValue, *, decimal_comma: bool = False) -> ir.FloatingValue:
    """Parse text as a finite float64; null for anything else (empty, NaN, infinite, words).

    Args:
        text: numbers as read.
        decimal_comma: whether the decimal sign is a comma; a number with a point is then null.
    """
    if decimal_comma:
        text = ibis.ifelse(text.contains("."), ibis.null("string"), text.replace(",", "."))
    number = text.try_cast("float64")
    # NaN fails the comparison too: engines order it after infinity.
    return ibis.ifelse(number.abs() <= _LARGEST, number, ibis.null("float64"))


def parse_price(text: ir.StringValue, *, decimal_comma: bool = False) -> ir.FloatingValue:
    """Parse text as a price; null for anything else, including numbers too large for a price."""
    number = parse_number(text, decimal_comma=decimal_comma)
    return ibis.ifelse(number.abs() <= LARGEST_PRICE, number, ibis.null("float64"))


def parse_times(text: ir.StringColumn, profile: TimestampProfile) -> ir.IntegerColumn:
    """Parse a whole time column as int64; null where a text is not a time.

    Args:
        text: times as read.
        profile: what the column holds.
    """
    if profile.unit == "spreadsheet days":
        return _parse_spreadsheet_days(text)
    if profile.unit == "yyyymmdd":
        return _parse_yyyymmdd(text)
    if profile.unit == "fractional positions":
        # Rounding would make different positions equal; their ranks keep the order.
        number = parse_number(text)
        rank = ibis.dense_rank().over(order_by=number).cast("int64")
        return ibis.ifelse(number.isnull(), ibis.null("int64"), rank)
    if profile.kind == "ordinal":
        return parse_ordinal(text)
    return parse_calendar(text, has_text=profile.has_text)


def parse_calendar(text: ir.StringValue, *, has_text: bool = True) -> ir.IntegerValue:
    """Parse unix times of any unit or ISO 8601 (UTC where no zone is given).

    Args:
        text: times as read.
        has_text: whether any may be ISO 8601, which costs more to parse than everything else.

    Returns:
        int64 unix seconds, rounded down; null where the text is neither.
    """
    return parse_moments(text, has_text=has_text).floor().cast("int64")


def parse_moments(text: ir.StringValue, *, has_text: bool = True) -> ir.FloatingValue:
    """Parse calendar times as ``parse_calendar`` does, as float64 with fractions of a second."""
    number = parse_number(text)
    scales = [(number.abs() < end, number / 1000.0**n) for n, end in enumerate(UNITS.values())]
    seconds = ibis.cases(*scales, else_=ibis.null("float64"))
    return ibis.coalesce(seconds, _parse_iso(stripped(text))) if has_text else seconds


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
            all are numbers below 1e8 and neither dates written as yyyymmdd nor plausible
            spreadsheet days.
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
    rows = found["rows"]
    if kind != "ordinal" and only_numbers and found["largest"] < ORDINAL_LIMIT:
        unit = _unit_of_dates(table, found["numbers"], earliest, latest)
        if unit:
            return TimestampProfile("calendar", rows, found["numbers"], unit=unit)
    if kind == "ordinal" or (kind == "auto" and only_numbers and found["largest"] < ORDINAL_LIMIT):
        number = parse_number(table.text)
        fractions = table.aggregate(n=(number != number.floor()).sum()).to_pyarrow()["n"][0]
        unit = "fractional positions" if fractions.as_py() else "positions"
        return TimestampProfile("ordinal", rows, 0, unit=unit)
    unit = " and ".join(_units(found)) or "ISO 8601"
    plausible, fractional = found["plausible"] or 0, bool(found["fractional"])
    return TimestampProfile("calendar", rows, plausible, has_text, unit, fractional)


def _units(found: dict[str, Any]) -> list[str]:
    """Return the units of the smallest and the largest unix time."""
    numbers = [abs(found[name]) for name in ("smallest", "largest") if found[name] is not None]
    units = [next((unit for unit, end in UNITS.items() if number < end), "") for number in numbers]
    return [unit for unit in dict.fromkeys(units) if unit]


def _unit_of_dates(table: ir.Table, n: int, earliest: int, latest: int) -> str:
    """Return "spreadsheet days" or "yyyymmdd" where all n small numbers are plausible ones."""
    parsers = {"spreadsheet days": _parse_spreadsheet_days, "yyyymmdd": _parse_yyyymmdd}
    plausible = {
        name: parse(table.text).between(earliest, latest).sum() for name, parse in parsers.items()
    }
    found = table.aggregate(**plausible).to_pyarrow().to_pylist()[0]
    return next((name for name in parsers if found[name] == n), "")


def _parse_spreadsheet_days(text: ir.StringValue) -> ir.IntegerValue:
    seconds = (parse_number(text) - SPREADSHEET_EPOCH) * _DAY
    rounded = (seconds + 0.5).floor()
    return ibis.ifelse(seconds.abs() < _EXACT_LIMIT, rounded, ibis.null(rounded.type())).cast(
        "int64"
    )


def _parse_yyyymmdd(text: ir.StringValue) -> ir.IntegerValue:
    digits = stripped(text).re_extract(r"^(\d{8})(\.0*)?$", 1)
    date = ibis.literal("-").join([digits.substr(0, 4), digits.substr(4, 2), digits.substr(6, 2)])
    return date.try_cast("timestamp").epoch_seconds().cast("int64")


def _facts(table: ir.Table, earliest: int, latest: int, *, has_text: bool) -> dict[str, Any]:
    number = parse_number(table.text)
    moment = parse_moments(table.text, has_text=has_text)
    calendar = moment.floor()
    facts = table.aggregate(
        rows=table.count(),
        filled=(~is_blank(table.text)).sum(),
        numbers=number.count(),
        smallest=number.min(),
        largest=number.max(),
        calendar=calendar.count(),
        plausible=calendar.between(earliest, latest).sum(),
        fractional=(moment != calendar).any(),
    )
    found: dict[str, Any] = facts.to_pyarrow().to_pylist()[0]
    return found


def _parse_iso(text: ir.StringValue) -> ir.FloatingValue:
    """Parse ISO 8601 as unix seconds.

    Zone and fractions are split off, since engines parse the one and round the others differently.
    """
    zone = text.re_extract(_ZONE, 1).fill_null("")
    with_fraction = text.left(text.length() - zone.length())
    fraction = with_fraction.re_extract(_FRACTION, 1).fill_null("")
    whole = with_fraction.left(with_fraction.length() - fraction.length())
    local = whole.try_cast("timestamp").epoch_seconds()
    part = stripped(fraction).try_cast("float64").fill_null(0.0)
    digits = zone.replace(":", "").replace("Z", "").replace("z", "").rpad(5, "0")
    minutes = 60 * digits.substr(1, 2).cast("int64") + digits.substr(3, 2).cast("int64")
    ahead = ibis.ifelse(zone.startswith("-"), -60, 60) * minutes
    return local.cast("float64") - ahead.cast("float64") + part


def _exact(number: ir.FloatingValue) -> ir.FloatingValue:
    """Keep numbers whose integer part float64 represents exactly; null for larger ones."""
    return ibis.ifelse(number.abs() < _EXACT_LIMIT, number, ibis.null("float64"))
