"""Pseudonyms for user ids: the same id and key give the same pseudonym, and only the key tells."""

import hashlib
import hmac

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from longtail.behaviour.codes import in_memory
from longtail.behaviour.columns import is_blank

DIGITS = 32
MIN_KEY_LENGTH = 16


def pseudonymise(table: ir.Table, column: str, key: str) -> ir.Table:
    """Replace the ids of a column by HMAC-SHA-256 (RFC 2104), its first 128 bits as hexadecimals.

    The key goes through Python alone: no query, and so no log of a database, holds it.

    Args:
        table: Any table.
        column: String column with ids; null and blank ones stay as they are.
        key: Secret key.
    """
    ids = table.filter(~is_blank(table[column])).select(original=column).distinct()
    originals = ids.to_pyarrow()["original"].to_pylist()
    secret = key.encode()
    pseudonyms = [
        hmac.new(secret, original.encode(), hashlib.sha256).hexdigest()[:DIGITS]
        for original in originals
    ]
    rows = pa.table({"original": originals, "pseudonym": pseudonyms})
    names = in_memory(rows, beside=table)
    joined = table.left_join(names, table[column] == names.original)
    replaced = joined.mutate(**{column: ibis.coalesce(joined.pseudonym, joined[column])})
    return replaced.drop("original", "pseudonym")
