"""Plotly figures of the evaluation; those of the hybrid and of the data profile lie beside them."""

from longtail.reporting.figures.arms import contrasts_plot
from longtail.reporting.figures.new_users import folding_in_plot
from longtail.reporting.figures.popularity import exposure_plot, recall_by_popularity_plot
from longtail.reporting.figures.quality import (
    headline_models,
    leaderboard_plot,
    lift_plot,
    metric_by_k_plot,
    tail_against_overall_plot,
)

__all__ = [
    "contrasts_plot",
    "exposure_plot",
    "folding_in_plot",
    "headline_models",
    "leaderboard_plot",
    "lift_plot",
    "metric_by_k_plot",
    "recall_by_popularity_plot",
    "tail_against_overall_plot",
]
