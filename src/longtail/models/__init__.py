"""Recommenders: one file each, all with the interface of ``longtail.models.base``.

A new recommender is a file in this folder and a line below: tuning, fitting, recommending,
evaluation, tracking and plots take it from here.
"""

from longtail.models.als import ALS
from longtail.models.base import Recommender
from longtail.models.neighbours import ItemKNN, RecentItemKNN, RecentTextKNN, TextKNN
from longtail.models.popularity import Popularity
from longtail.models.text_profile import TextProfile

# Fitted on behaviour alone, by the pipeline als_baseline.
COLLABORATIVE: dict[str, type[Recommender]] = {
    "popularity": Popularity,
    "item_knn": ItemKNN,
    "item_knn_recent": RecentItemKNN,
    "als": ALS,
}

# Fitted on behaviour and item text, by the pipeline hybrid_scoring.
LANGUAGE: dict[str, type[Recommender]] = {
    "text_knn": TextKNN,
    "text_knn_recent": RecentTextKNN,
    "text_profile": TextProfile,
}

RECOMMENDERS: tuple[str, ...] = (*COLLABORATIVE, *LANGUAGE, "hybrid")
