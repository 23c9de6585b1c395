"""Integer codes in place of texts: windows and sorts over integers are fast and small."""

from collections.abc import Mapping, Sequence

import ibis
import ibis.expr.types as ir


def number_texts(texts: ir.StringColumn) -> ir.Table:
    """Number the distinct texts of a column from 0, in their order.

    Returns:
        ``text`` and ``code`` (int32); null has no code.
    """
    found = texts.name("text").as_table().distinct().drop_null("text")
    return found.mutate(code=ibis.row_number().over(order_by=found.text).cast("int32")).cache()


def decode(table: ir.Table, codes: Mapping[str, ir.Table], order: Sequence[str] = ()) -> ir.Table:
    """Put the texts back in place of their codes.

    Args:
        table: Table with coded columns.
        codes: Coded column to the numbers of its texts.
        order: Columns by which the rows are sorted, while they are still codes.
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
