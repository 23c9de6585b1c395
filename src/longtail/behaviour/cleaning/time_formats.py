"""Times of a format that the user gives."""

import ibis.expr.types as ir
import pandas as pd
import pyarrow as pa

from longtail.behaviour.cleaning.codes import in_memory
from longtail.behaviour.cleaning.parsing import TimestampProfile


def parse_formatted(text: ir.StringColumn, time_format: str) -> ir.Table:
    """Parse times of a format that the user gives; UTC where it has no zone.

    In Python, because the engines name the parts of a format differently.

    Args:
        text: times as read.
        time_format: with the directives of Python's ``strptime``.

    Returns:
        ``text`` and ``moment`` (unix seconds, float64) of each different text with this format.
    """
    texts = text.name("text").as_table().distinct().drop_null("text")
    found = texts.to_pandas()["text"]
    times = pd.to_datetime(found.str.strip(), format=time_format, errors="coerce", utc=True)
    moments = (times - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(seconds=1)
    known = moments.notna()
    rows = {
        "text": pa.array(found[known], pa.string()),
        "moment": pa.array(moments[known], pa.float64()),
    }
    return in_memory(pa.table(rows), beside=texts)


def profile_formatted(
    timestamp: ir.StringColumn, times: ir.Table, time_format: str, earliest: int, latest: int
) -> TimestampProfile:
    """Describe a time column of a format that the user gives.

    Args:
        timestamp: column as read.
        times: the result of ``parse_formatted``.
        time_format: the format.
        earliest: first plausible unix second.
        latest: last plausible unix second.
    """
    table = timestamp.name("read").as_table()
    joined = table.left_join(times, table.read == times.text)
    moment = joined.moment
    facts = joined.aggregate(
        rows=joined.count(),
        plausible=moment.between(earliest, latest).sum(),
        fractional=(moment != moment.floor()).any(),
    )
    found = facts.to_pyarrow().to_pylist()[0]
    return TimestampProfile(
        "calendar",
        found["rows"],
        found["plausible"] or 0,
        unit=f"format {time_format}",
        has_fractions=bool(found["fractional"]),
    )
