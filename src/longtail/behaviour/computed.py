"""Tables that are computed once and read several times."""

from __future__ import annotations

from ibis.expr import types as ir


def computed(table: ir.Table) -> ir.Table:
    """Compute a table, and return it as one that is only read from then on.

    On Spark it loses its plan as well: plans over cached tables hold the plans of these, once for
    each time they are read, so a plan over several levels of them grows without bound.
    """
    cached = table.cache()
    if table.get_backend().name != "pyspark":
        return cached
    from pyspark.sql import SparkSession  # noqa: PLC0415 optional

    name = f"{cached.get_name()}_computed"
    frame = SparkSession.active().table(cached.get_name()).localCheckpoint()
    frame.createOrReplaceTempView(name)
    cached.release()
    return table.get_backend().table(name)
