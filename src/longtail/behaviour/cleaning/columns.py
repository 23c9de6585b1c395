"""Mapping of the columns of an input file to the canonical ones, and tests on texts."""

import logging
from collections.abc import Collection, Mapping

import ibis
import ibis.expr.types as ir

from longtail.behaviour.computed import computed
from longtail.errors import UserError

logger = logging.getLogger(__name__)

WHITE = " \t\n\r\f\x0b"
"""The characters that count as white space."""
EXACT_LIMIT = 2.0**53
"""From here on floating-point numbers skip whole numbers."""
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
        Exactly the canonical columns, in the order of ``mapping``, all strings; required columns,
        the ids, without spaces around them.

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
    read = table.select(**present).pipe(computed)
    padded = {name: _is_padded(read[name]) for name in required}
    counts = read.aggregate(
        **{name: flag.sum() for name, flag in padded.items()},
        **{f"{name}_rounded": read[name].max(where=_is_rounded(read[name])) for name in required},
    )
    found = counts.to_pyarrow().to_pylist()[0]
    for name in required:
        if example := found[f"{name}_rounded"]:
            raise UserError(
                f"The ids in the column '{mapping[name]}' of the {file} file were stored as "
                f"floating-point numbers, such as {example}: above 2^53 (9007199254740992) these "
                "lose their last digits, and different ids become equal. Write the ids as text or "
                "as whole numbers."
            )
        if n := found[name]:
            logger.warning("Removed spaces around %d values of %s in the %s file.", n, name, file)
            read = read.mutate(
                **{name: ibis.ifelse(padded[name], stripped(read[name]), read[name])}
            )
    null = ibis.null("string")
    return read.select(**{name: read[name] if name in present else null for name in mapping})


def unused_columns(table: ir.Table, mapping: Mapping[str, str | None]) -> list[str]:
    """Return the columns of an input table that no canonical column is read from."""
    return [name for name in table.columns if name not in mapping.values()]


def _is_rounded(text: ir.StringValue) -> ir.BooleanValue:
    """Return whether an id is a floating-point number too large to be exact."""
    # As 1.2e+18, 1e+18 (DuckDB, pandas), 1.2E18 (Spark) or 9007199254740992.0 (pandas).
    is_float = text.re_search(r"^\d(\.\d+[eE]\+?|[eE]\+)\d{2,3}$|^\d{16,}\.0$")
    # Searched in long ids only, which few catalogues have.
    return ibis.ifelse(text.length() > 4, is_float, False) & (
        text.try_cast("float64") >= EXACT_LIMIT
    )


def _is_padded(text: ir.StringValue) -> ir.BooleanValue:
    """Return whether a text that is not empty begins or ends with white space."""
    return ((text.left(1) <= " ") | (text.right(1) <= " ")) & (text != "")


def is_blank(text: ir.StringValue) -> ir.BooleanValue:
    """Return whether a text is null, empty or only white space."""
    # Nearly all texts begin with a visible character and need no search.
    return ibis.ifelse(text > "!", False, ~text.fill_null("").re_search(f"[^{_WHITE}]"))


def is_missing(text: ir.StringValue, words: Collection[str]) -> ir.BooleanValue:
    """Return whether an id is blank or one of the words (in lower case) for a missing value."""
    return is_blank(text) | text.lower().isin(list(words)) if words else is_blank(text)


def stripped(text: ir.StringValue) -> ir.StringValue:
    """Return a text without leading and trailing white space.

    Not Ibis's ``strip``: on Spark it also strips the letters f and v, because Spark does not
    unescape its list of characters.
    """
    return text.re_replace(f"^[{_WHITE}]+|[{_WHITE}]+$", "")
