"""From the columns of an input file to the canonical ones."""

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
        table: Input table; every column a string.
        mapping: Canonical name to the file's name. A column that keeps its canonical name may be
            missing, it is then null throughout, and so is one that is mapped to None.
        required: Canonical names that must exist.
        file: "interactions" or "items", for the message.

    Returns:
        Exactly the canonical columns, in the order of ``mapping``, all strings.

    Raises:
        UserError: When a required or an explicitly mapped column is missing.
    """
    for name, source in mapping.items():
        is_missing = source is not None and source not in table.columns
        if is_missing and (name in required or name != source):
            raise UserError(
                f"The {file} file has no column '{source}'; its columns are "
                f"{', '.join(table.columns)}. Rename the column, or give the file's name for "
                f"{name} in the parameter behaviour_cleaning.{file}_columns.{name}."
            )
    present = {
        name: table[source].cast("string")
        for name, source in mapping.items()
        if source in table.columns
    }
    # The file is read and parsed once, however many questions follow.
    read = table.select(**present).cache()
    null = ibis.null("string")
    return read.select(**{name: read[name] if name in present else null for name in mapping})


def is_blank(text: ir.StringValue) -> ir.BooleanValue:
    """Tell whether a text is null, empty or white space alone."""
    # Texts that begin with a visible character, nearly all, are told without a search.
    return ibis.ifelse(text > "!", False, ~text.fill_null("").re_search(f"[^{_WHITE}]"))


def stripped(text: ir.StringValue) -> ir.StringValue:
    """Return a text without white space around it.

    Ibis's own ``strip`` takes the letters f and v off on Spark, which reads its list of characters
    otherwise than it was written.
    """
    return text.re_replace(f"^[{_WHITE}]+|[{_WHITE}]+$", "")
