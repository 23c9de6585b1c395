"""Typing of the behaviour log, and its reduction to codes and numbers."""

from collections.abc import Collection, Sequence

import ibis
import ibis.expr.types as ir

from longtail.behaviour.cleaning.codes import decode, number_texts
from longtail.behaviour.cleaning.columns import is_blank
from longtail.behaviour.cleaning.parsing import (
    TimestampProfile,
    parse_moments,
    parse_number,
    parse_times,
)
from longtail.behaviour.computed import computed

NUMBERS = ("rating", "quantity", "dwell_seconds")
RAW_COLUMNS = ("user_id", "item_id", "event_type", *NUMBERS, "timestamp")


def type_columns(
    raw: ir.Table,
    items: ir.Table,
    profile: TimestampProfile,
    times: ir.Table | None = None,
    decimal_commas: Collection[str] = (),
) -> ir.Table:
    """Add the typed columns, the code of the item, and whether the catalogue kept it.

    Args:
        raw: the canonical interaction columns, all strings.
        items: text (item id), code and kept of every catalogue item.
        profile: kind of the timestamps.
        times: text and moment of the times of a format that the user gives.
        decimal_commas: columns of numbers whose decimal sign is a comma.

    Returns:
        The raw columns, ``typed_<column>``, ``item_code`` and ``in_catalogue`` (both null for an
        item that is not in the catalogue); ``moment`` (float64 unix seconds) where times have
        fractions of a second.
    """
    known = items.select(known_item_id=items.text, item_code=items.code, in_catalogue=items.kept)
    joined = raw.left_join(known, raw.item_id == known.known_item_id).drop("known_item_id")
    timestamp = parse_times(joined.timestamp, profile)
    moment = parse_moments(joined.timestamp, has_text=profile.has_text)
    if times is not None:
        known_times = times.select(time_as_read=times.text, known_moment=times.moment)
        joined = joined.left_join(known_times, joined.timestamp == known_times.time_as_read)
        moment = joined.known_moment
        timestamp = moment.floor().cast("int64")
    typed = joined.mutate(
        typed_event_type=ibis.ifelse(
            is_blank(joined.event_type), ibis.null("string"), joined.event_type
        ),
        typed_timestamp=timestamp,
        **{
            f"typed_{name}": parse_number(joined[name], decimal_comma=name in decimal_commas)
            for name in NUMBERS
        },
        **({"moment": moment} if profile.has_fractions else {}),
    )
    return typed if times is None else typed.drop("time_as_read", "known_moment")


def encode_rows(
    raw: ir.Table, classified: ir.Table, items: ir.Table
) -> tuple[ir.Table, dict[str, ir.Table]]:
    """Reduce the rows to codes and numbers.

    Where the typed value does not reproduce the text of the file, the text is kept as
    ``<column>_as_read``. Columns that are empty throughout are dropped.

    Args:
        raw: the canonical interaction columns, all strings.
        classified: the result of ``type_columns`` with ``rule``.
        items: text (item id) and code of every catalogue item.

    Returns:
        user_id, item_id, event_type (codes), timestamp, the other numbers, texts as read,
        ``rule`` and, where ``classified`` has it, ``moment``; the table of codes of each coded
        column.
    """
    codes = {
        "user_id": number_texts(raw.user_id),
        "item_id": items,
        "event_type": number_texts(raw.event_type),
    }
    users, event_types = (
        codes[name].select(**{f"{name}_text": "text", f"{name}_code": "code"})
        for name in ("user_id", "event_type")
    )
    joined = classified.left_join(users, classified.user_id == users.user_id_text)
    joined = joined.left_join(event_types, joined.typed_event_type == event_types.event_type_text)
    names = ("timestamp", *_non_empty(raw, NUMBERS))
    coded = joined.select(
        "rule",
        user_id=joined.user_id_code,
        item_id=joined.item_code,
        event_type=joined.event_type_code,
        **({"moment": joined.moment} if "moment" in joined.columns else {}),
        item_id_as_read=ibis.ifelse(joined.item_code.isnull(), joined.item_id, ibis.null("string")),
        **{name: joined[f"typed_{name}"] for name in names},
        **{f"{name}_as_read": _text_if_different(joined, name) for name in ("event_type", *names)},
    ).pipe(computed)
    as_read = [name for name in coded.columns if name.endswith("_as_read")]
    return coded.drop(*(set(as_read) - set(_non_empty(coded, as_read)))), codes


def text_as_read(table: ir.Table, name: str) -> ir.StringValue:
    """Return the text that a column of encoded rows had in the file."""
    if name not in table.columns:
        return ibis.null("string")
    typed = table[name].cast("string")
    as_read = f"{name}_as_read"
    return ibis.coalesce(table[as_read], typed) if as_read in table.columns else typed


def rejected_as_read(coded: ir.Table, codes: dict[str, ir.Table]) -> ir.Table:
    """Return the rejected rows as they were read, with their rule."""
    rejected = decode(coded.filter(coded.rule.notnull()), codes)
    texts = {name: text_as_read(rejected, name) for name in RAW_COLUMNS}
    return rejected.select(**texts, rule=rejected.rule)


def _non_empty(table: ir.Table, names: Sequence[str]) -> list[str]:
    """Return those columns that hold at least one value."""
    counts = table.aggregate(**{name: table[name].count() for name in names})
    return [name for name, n in counts.to_pyarrow().to_pylist()[0].items() if n]


def _text_if_different(typed: ir.Table, name: str) -> ir.StringValue:
    is_reproduced = typed[f"typed_{name}"].cast("string").identical_to(typed[name])
    return ibis.ifelse(is_reproduced, ibis.null("string"), typed[name])
