"""Long-tail evaluation, computed from tables alone.

:mod:`~longtail.metrics.tables` encodes the tables as integers; ``ranking``, ``exposure``,
``calibration`` and ``classification`` hold the metrics, ``scoring`` computes all of them for one
model, ``significance`` holds the statistics, and ``leaderboard`` compares several models.
"""
