"""Integer codes for texts: windows and sorts over integers are faster and need less memory."""

from collections.abc import Mapping, Sequence

import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa


def number_texts(texts: ir.StringColumn) -> ir.Table:
    """Number the distinct texts of a column from 0, in sorted order.

    Returns:
        ``text`` and ``code`` (int32); null has no code.
    """
    return number_rows(texts.name("text").as_table().distinct().drop_null("text"))


def number_rows(table: ir.Table) -> ir.Table:
    """Add ``code``, int32 from 0 in the order of the column ``text``.

    In Python, because engines number a whole table on a single core.
    """
    rows = table.order_by("text").to_pyarrow()
    codes = pa.array(np.arange(len(rows), dtype=np.int32))
    return in_memory(rows.append_column("code", codes), beside=table)


def in_memory(rows: pa.Table, beside: ir.Table) -> ir.Table:
    """Return rows as a table on the engine of the table ``beside``, to be joined with it."""
    table = ibis.memtable(rows)
    # A query registers the table with the engine; on Spark, ``cache`` alone does not.
    beside.get_backend().to_pyarrow(table.limit(0))
    return table


def decode(table: ir.Table, codes: Mapping[str, ir.Table], order: Sequence[str] = ()) -> ir.Table:
    """Replace codes by their texts.

    Args:
        table: table with coded columns.
        codes: ``text`` and ``code`` of each coded column.
        order: columns to sort the rows by, before they are decoded.
    """
    joined = table
    for column, numbers in codes.items():
        names = numbers.select(**{f"{column}_code": "code", f"{column}_text": "text"})
        joined = joined.left_join(names, joined[column] == names[f"{column}_code"])
    if order:
        joined = joined.order_by(*order)
    return joined.select(
        **{name: joined[f"{name}_text" if name in codes else name] for name in table.columns}
    )
