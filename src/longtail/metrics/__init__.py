"""Long-tail evaluation computed from tables alone.

:mod:`~longtail.metrics.tables` codes the tables once as integers, :mod:`~longtail.metrics.ranking`
and :mod:`~longtail.metrics.exposure` hold the metrics, :mod:`~longtail.metrics.significance` the
statistics, and :mod:`~longtail.metrics.leaderboard` puts them together for several models.
"""
