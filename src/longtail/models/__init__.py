"""Recommenders: one file each, all with the interface of ``longtail.models.base``.

A new recommender is a file in this folder and a line below: tuning, fitting, recommending,
evaluation, tracking and plots take it from here.
"""

from longtail.models.als import ALS, RecentALS
from longtail.models.base import Recommender
from longtail.models.cluster_attention import ClusterAttention
from longtail.models.ease import EASE, RecentEASE
from longtail.models.ials import IALS, FeatureIALS, RecentFeatureIALS
from longtail.models.interest_network import InterestNetwork
from longtail.models.language_model_ranker import LanguageModelRanker
from longtail.models.neighbours import (
    FrozenTextKNN,
    ItemKNN,
    RecentItemKNN,
    RecentTextKNN,
    TextKNN,
    TfidfKNN,
)
from longtail.models.popularity import Popularity
from longtail.models.random_ranking import RandomRanking
from longtail.models.recent_popularity import RecentPopularity
from longtail.models.semantic_matching import SemanticMatching
from longtail.models.sequence_transformer import SequenceTransformer
from longtail.models.text_metric import TextMetric
from longtail.models.text_profile import TextProfile

# Fitted on behaviour alone, by the pipeline als_baseline.
COLLABORATIVE: dict[str, type[Recommender]] = {
    "random": RandomRanking,
    "popularity": Popularity,
    "popularity_recent": RecentPopularity,
    "item_knn": ItemKNN,
    "item_knn_recent": RecentItemKNN,
    "ease": EASE,
    "ease_recent": RecentEASE,
    "als": ALS,
    "als_recent": RecentALS,
    "ials": IALS,
}

# Fitted on behaviour and item text, by the pipeline hybrid_scoring.
LANGUAGE: dict[str, type[Recommender]] = {
    "tfidf_knn": TfidfKNN,
    "text_knn_frozen": FrozenTextKNN,
    "text_knn": TextKNN,
    "text_knn_recent": RecentTextKNN,
    "text_profile": TextProfile,
    "text_metric": TextMetric,
    "feature_ials": FeatureIALS,
    "feature_ials_recent": RecentFeatureIALS,
    "semantic_matching": SemanticMatching,
    "sequence_transformer": SequenceTransformer,
    "interest_network": InterestNetwork,
    "cluster_attention": ClusterAttention,
    "language_model_ranker": LanguageModelRanker,
}

MODELS: dict[str, type[Recommender]] = COLLABORATIVE | LANGUAGE

RECOMMENDERS: tuple[str, ...] = (*MODELS, "hybrid")
