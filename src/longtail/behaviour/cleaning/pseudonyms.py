"""Pseudonyms for user ids: keyed hashes, which cannot be linked to an id without the key."""

import hashlib
import hmac

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from longtail.behaviour.cleaning.codes import in_memory
from longtail.behaviour.cleaning.columns import is_blank

DIGITS = 32
MIN_KEY_LENGTH = 16


def pseudonymise(table: ir.Table, column: str, key: str) -> ir.Table:
    """Replace the ids of a column by the first 128 bits of their HMAC-SHA-256 (RFC 2104), in hex.

    Hashed in Python, so that the key is in no query and no log of a database.

    Args:
        table: any table.
        column: string column with ids; null and blank ones are left as they are.
        key: secret key.
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
