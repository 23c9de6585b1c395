"""Mapping of the columns of an input file to the canonical ones, and tests on texts."""

from collections.abc import Collection, Mapping

import ibis
import ibis.expr.types as ir

from longtail.errors import UserError

_WHITE = r" \t\n\r\f\x0b"


def map_columns(
    table: ir.Table, mapping: Mapping[str, str | None], *, required: Collection[str], file: str
) -> ir.Table:
    """Select and rename the columns of an input table.

    Args:
        table: input table.
        mapping: canonical name to the name in the file. An optional column may be missing if the
            two names are equal; it is then all null, as is a column mapped to None.
        required: canonical names that must exist.
        file: "interactions" or "items", for the message.

    Returns:
        Exactly the canonical columns, in the order of ``mapping``, all strings.

    Raises:
        UserError: if a required or an explicitly mapped column is missing.
    """
    for name, source in mapping.items():
        is_missing = source is not None and source not in table.columns
        if is_missing and (name in required or name != source):
            raise UserError(
                f"The {file} file has no column '{source}'; its columns are "
                f"{', '.join(table.columns)}. Rename the column, or set the parameter "
                f"behaviour_cleaning.{file}_columns.{name} to the name of the column that holds "
                f"{name}."
            )
    present = {
        name: table[source].cast("string")
        for name, source in mapping.items()
        if source in table.columns
    }
    # Cached, so that the file is read and parsed only once.
    read = table.select(**present).cache()
    null = ibis.null("string")
    return read.select(**{name: read[name] if name in present else null for name in mapping})


def is_blank(text: ir.StringValue) -> ir.BooleanValue:
    """Return whether a text is null, empty or only white space."""
    # Nearly all texts begin with a visible character and need no search.
    return ibis.ifelse(text > "!", False, ~text.fill_null("").re_search(f"[^{_WHITE}]"))


def stripped(text: ir.StringValue) -> ir.StringValue:
    """Return a text without leading and trailing white space.

    Not Ibis's ``strip``: on Spark it also strips the letters f and v, because Spark does not
    unescape its list of characters.
    """
    return text.re_replace(f"^[{_WHITE}]+|[{_WHITE}]+$", "")
