"""Pseudonyms for user ids: keyed hashes, which cannot be linked to an id without the key."""

import hashlib
import hmac
from collections.abc import Collection

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from longtail.behaviour.cleaning.codes import in_memory
from longtail.behaviour.cleaning.columns import WHITE, is_missing, stripped

DIGITS = 32
MIN_KEY_LENGTH = 16


def pseudonymise(
    table: ir.Table, column: str, key: str, missing_ids: Collection[str] = ()
) -> ir.Table:
    """Replace the ids of a column by the first 128 bits of their HMAC-SHA-256 (RFC 2104), in hex.

    Hashed in Python, so that the key is in no query and no log of a database.

    Args:
        table: any table.
        column: string column with ids; null, blank and missing ones are left as they are, spaces
            around the others do not count.
        key: secret key.
        missing_ids: texts, in lower case, that stand for a missing id.
    """
    ids = (
        table.filter(~is_missing(stripped(table[column]), missing_ids))
        .select(original=column)
        .distinct()
    )
    originals = ids.to_pyarrow()["original"].to_pylist()
    secret = key.encode()
    pseudonyms = [
        hmac.new(secret, original.strip(WHITE).encode(), hashlib.sha256).hexdigest()[:DIGITS]
        for original in originals
    ]
    rows = pa.table({"original": originals, "pseudonym": pseudonyms})
    names = in_memory(rows, beside=table)
    joined = table.left_join(names, table[column] == names.original)
    replaced = joined.mutate(**{column: ibis.coalesce(joined.pseudonym, joined[column])})
    return replaced.drop("original", "pseudonym")
