"""Detection of decimal commas, column by column."""

from collections.abc import Sequence
from typing import Literal

import ibis.expr.types as ir

DecimalSign = Literal["point", "comma", "unclear"]
DecimalChoice = Literal["auto", "point", "comma"]

_WITH_COMMA = r"^\s*[-+]?\d+,\d+\s*$"
_LIKE_THOUSANDS = r"^\s*[-+]?\d{1,3},\d{3}\s*$"


def decimal_signs(
    table: ir.Table, columns: Sequence[str], choice: DecimalChoice = "auto"
) -> dict[str, DecimalSign]:
    """Return the decimal sign of each column of numbers as text; one pass over the table.

    A column has decimal commas if numbers have one and none has a point. Where every comma is
    followed by exactly three digits it may separate thousands instead: the sign is unclear.

    Args:
        table: string columns, as read.
        columns: those to look at.
        choice: "point" or "comma" sets the sign of all columns.
    """
    if choice != "auto":
        return dict.fromkeys(columns, choice)
    facts: dict[str, ir.Value] = {}
    for name in columns:
        text = table[name]
        facts |= {
            f"{name}_commas": text.re_search(_WITH_COMMA).sum(),
            f"{name}_thousands": text.re_search(_LIKE_THOUSANDS).sum(),
            f"{name}_points": text.contains(".").sum(),
        }
    found = table.aggregate(**facts).to_pyarrow().to_pylist()[0]
    return {
        name: _sign(*(found[f"{name}_{part}"] or 0 for part in ("commas", "thousands", "points")))
        for name in columns
    }


def _sign(commas: int, thousands: int, points: int) -> DecimalSign:
    if not commas or points:
        return "point"
    return "unclear" if commas == thousands else "comma"
