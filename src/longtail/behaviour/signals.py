"""How much an interaction says about what a user likes."""

import ibis
import ibis.expr.types as ir


def add_weight(interactions: ir.Table) -> ir.Table:
    """Add the confidence ``weight`` (float64, above 0): every interaction counts once."""
    # A float literal would reach the Parquet file as a decimal; the cast makes it a float64.
    return interactions.mutate(weight=ibis.literal(1, type="int64").cast("float64"))
