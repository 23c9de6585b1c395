"""All recommenders by name.

A new recommender is one file in this package and one line below: tuning, fitting, recommending,
evaluation, tracking and plots take it from here.
"""

from longtail.recommenders.base import Recommender
from longtail.recommenders.collaborative.als import ALS, RecentALS
from longtail.recommenders.collaborative.ease import EASE, RLAE, RecentEASE
from longtail.recommenders.collaborative.graph_filter import GraphFilter
from longtail.recommenders.collaborative.ials import IALS
from longtail.recommenders.collaborative.item_knn import ItemKNN, RecentItemKNN
from longtail.recommenders.content.feature_ials import FeatureIALS, RecentFeatureIALS
from longtail.recommenders.content.l3ae import L3AE, NeighbourL3AE
from longtail.recommenders.content.semantic_matching import SemanticMatching
from longtail.recommenders.content.text_knn import FrozenTextKNN, RecentTextKNN, TextKNN, TfidfKNN
from longtail.recommenders.content.text_metric import TextMetric
from longtail.recommenders.content.text_profile import TextProfile
from longtail.recommenders.language_model_ranker.model import LanguageModelRanker
from longtail.recommenders.neural.cluster_attention import ClusterAttention
from longtail.recommenders.neural.interest_network import InterestNetwork
from longtail.recommenders.neural.sequence_transformer import SequenceTransformer
from longtail.recommenders.popularity import Popularity
from longtail.recommenders.random_ranking import RandomRanking
from longtail.recommenders.recent_popularity import RecentPopularity

MODELS: dict[str, type[Recommender]] = {
    "random": RandomRanking,
    "popularity": Popularity,
    "popularity_recent": RecentPopularity,
    "item_knn": ItemKNN,
    "item_knn_recent": RecentItemKNN,
    "ease": EASE,
    "ease_recent": RecentEASE,
    "rlae": RLAE,
    "graph_filter": GraphFilter,
    "als": ALS,
    "als_recent": RecentALS,
    "ials": IALS,
    "tfidf_knn": TfidfKNN,
    "text_knn_frozen": FrozenTextKNN,
    "text_knn": TextKNN,
    "text_knn_recent": RecentTextKNN,
    "text_profile": TextProfile,
    "text_metric": TextMetric,
    "feature_ials": FeatureIALS,
    "feature_ials_recent": RecentFeatureIALS,
    "l3ae": L3AE,
    "l3ae_neighbours": NeighbourL3AE,
    "semantic_matching": SemanticMatching,
    "sequence_transformer": SequenceTransformer,
    "interest_network": InterestNetwork,
    "cluster_attention": ClusterAttention,
    "language_model_ranker": LanguageModelRanker,
}
