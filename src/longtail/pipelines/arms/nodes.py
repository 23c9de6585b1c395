"""Nodes of the arms: other vectors, their views, one table of contrasts."""

from __future__ import annotations

import logging
from typing import Any

import ibis.expr.types as ir
import numpy as np
import pandas as pd
import plotly.graph_objects as go
import scipy.sparse as sp
from numpy.typing import NDArray

from longtail.arrays import Arrays
from longtail.behaviour.histories import Histories
from longtail.hybrid.parameters import HybridParameters
from longtail.metrics.arms import CONTRASTS, advice, contrast_table, count_groups
from longtail.metrics.leaderboard import Row, compare_pairs, drop_small_groups
from longtail.metrics.scoring import score_model
from longtail.metrics.tables import ground_truth
from longtail.pipelines.evaluation.nodes import relevant_of
from longtail.pipelines.evaluation.params import EvaluationParameters
from longtail.pipelines.item_encoding.nodes import (
    collect_embeddings,
    encode_new_texts,
    neighbours_of,
    text_neighbour_ndcg,
    whiten_embeddings,
)
from longtail.pipelines.item_encoding.params import ItemEncodingParameters
from longtail.recommenders.item_features import ItemFeatures
from longtail.recommenders.registry import MODELS
from longtail.recommenders.validation import validation_targets
from longtail.reporting import terminal
from longtail.reporting.figures import contrasts_plot
from longtail.reporting.page import arms_page
from longtail.studies.control_vectors import (
    item_with_the_text,
    random_vectors_of_same_spectrum,
)
from longtail.text.encoder import TextEncoder
from longtail.text.item_text import add_understanding, text_groups
from longtail.text.whitening import unit_length
from longtail.tuning.search import TuningParameters

logger = logging.getLogger(__name__)

# What an arm can give to a source; a source that reads more is left out of all arms.
VIEWS = frozenset({"vectors", "text_neighbours", "frozen_neighbours", "tfidf_neighbours"})

# Vectors and the graph of their neighbours.
View = tuple[Arrays, sp.csr_array]


def shuffle_texts(
    language_vectors: Arrays, word_pieces: sp.csr_array, tuning: TuningParameters
) -> tuple[Arrays, sp.csr_array]:
    """Give every item the language vector and the word pieces of another.

    Without the word pieces the adaptation would learn from an item's own words.
    """
    giver = item_with_the_text(language_vectors["vectors"], tuning.seed)
    return {"vectors": language_vectors["vectors"][giver]}, sp.csr_array(word_pieces[giver])


def draw_random_vectors(language_vectors: Arrays, tuning: TuningParameters) -> Arrays:
    """Draw vectors with the spectrum of the language vectors."""
    return {"vectors": random_vectors_of_same_spectrum(language_vectors["vectors"], tuning.seed)}


def encode_with_second_encoder(
    parameters: ItemEncodingParameters,
    item_texts: pd.DataFrame,
    item_understanding: pd.DataFrame,
    cached: pd.DataFrame,
    train: pd.DataFrame,
) -> tuple[pd.DataFrame, Arrays, sp.csr_array, dict[str, Any]]:
    """Encode and whiten the item texts a second time, in another way.

    The encoder is the second one where it is set, and keywords or summaries join the texts where
    the parameter ``second_text`` says so.

    Returns:
        Keys and vectors of the new texts, the whitened vectors, the word pieces of the texts, and
        how long the encoding took.
    """
    encoder = parameters.second_encoder or parameters.encoder
    second = parameters.model_copy(update={"encoder": encoder})
    text = add_understanding(item_texts["text"], item_understanding, parameters.second_text)
    texts = item_texts.assign(text=text, key=TextEncoder(encoder).text_keys(text))
    encoded, speed = encode_new_texts(texts, texts.iloc[:0], cached, second)
    embeddings = collect_embeddings(texts, cached, encoded)
    word_pieces = TextEncoder(encoder).word_pieces(text.tolist())
    return encoded, whiten_embeddings(embeddings, texts, train, second), word_pieces, speed


def build_views(
    tuning: TuningParameters,
    parameters: ItemEncodingParameters,
    training: Histories,
    held_out: Histories,
    frozen: Arrays,
    adapted: Arrays,
    other_frozen: Arrays | None = None,
    other_adapted: Arrays | None = None,
) -> ItemFeatures:
    """Return the views that an arm has of the item texts, under the names of the hybrid.

    ``text_neighbours`` are those of the frozen or the adapted vectors, whichever find the better
    neighbours on validation; ``frozen_neighbours`` those of the other ones. In the place of the
    TF-IDF neighbours of the hybrid stand the better ones of a second representation, if the arm has
    one, and its vectors stand beside the first ones. An arm of one representation has there the
    neighbours by both of its vectors together: every arm has three different graphs.
    """
    targets = validation_targets(training, held_out.matrix(), tuning.max_users, tuning.seed)

    def best_first(*kinds: Arrays) -> list[View]:
        found = [(kind, neighbours_of(kind["vectors"], parameters)[0]) for kind in kinds]
        return sorted(
            found, key=lambda view: -text_neighbour_ndcg(view[1], training, targets, tuning.k)
        )

    (chosen, graph), (_, second) = best_first(frozen, adapted)
    vectors = chosen["vectors"]
    if other_frozen is not None and other_adapted is not None:
        (other, third), _ = best_first(other_frozen, other_adapted)
        vectors = _beside(vectors, other["vectors"])
    else:
        third, _ = neighbours_of(_beside(frozen["vectors"], adapted["vectors"]), parameters)
    return ItemFeatures(
        vectors=vectors,
        text_neighbours=graph,
        frozen_neighbours=second,
        tfidf_neighbours=third,
    )


def _beside(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return both vectors of each item as one, whose cosines are the means of theirs."""
    return unit_length(np.hstack([one, other]))


def compare_arms(
    parameters: EvaluationParameters,
    test_interactions: pd.DataFrame,
    train_interactions: pd.DataFrame,
    validation_interactions: pd.DataFrame,
    item_groups: pd.DataFrame,
    user_groups: pd.DataFrame,
    item_texts: pd.DataFrame,
    interactions: ir.Table,
    **arms: pd.DataFrame,
) -> tuple[list[Row], list[Row]]:
    """Return the leaderboard of the arms, and the contrasts between pairs of them.

    Besides head, tail and cold items there are items by their number of interactions, items with
    short texts, with a word that no text of the training period has, and in other scripts; besides
    quiet users there are users by the length of their history.
    """
    trained = item_texts["item_id"].isin(train_interactions["item_id"]).to_numpy()
    truth = ground_truth(
        relevant_of(test_interactions, interactions, parameters),
        train_interactions,
        validation_interactions,
        item_groups,
        user_groups,
        text_groups(item_texts["text"], trained)
        | count_groups(item_groups["interaction_count"].to_numpy(np.int64)),
    )
    scores = {arm: score_model(lists, truth, parameters.ks) for arm, lists in arms.items()}
    pairs = [(arm, other) for arm, other in CONTRASTS if {arm, other} <= scores.keys()]
    leaderboard, comparisons = (
        drop_small_groups(rows, parameters.min_group_size)
        for rows in compare_pairs(
            scores, truth, [pairs], parameters.resampling, by_history_length=True
        )
    )
    return leaderboard, contrast_table(comparisons)


def plot_contrasts(arms_contrasts: list[Row], parameters: EvaluationParameters) -> go.Figure:
    """Draw the ratio of each contrast with its interval, by group."""
    return contrasts_plot(arms_contrasts, parameters.primary_k, parameters.confidence)


def write_arms_report(
    arms_leaderboard: list[Row],
    arms_contrasts: list[Row],
    arms_plot: go.Figure,
    encoding_speed: dict[str, Any],
    parameters: EvaluationParameters,
) -> str:
    """Render arms, contrasts and figure as one HTML page."""
    return arms_page(
        arms_leaderboard,
        arms_contrasts,
        advice(arms_contrasts, parameters.primary_k, encoding_speed.get("seconds_per_thousand")),
        {"arms_plot": arms_plot},
        parameters.primary_k,
        parameters.confidence,
    )


def show_arms(
    arms_leaderboard: list[Row],
    arms_contrasts: list[Row],
    encoding_speed: dict[str, Any],
    parameters: EvaluationParameters,
    hybrid: HybridParameters,
) -> None:
    """Print the arms and their contrasts to the terminal, and which sources no arm has."""
    k = parameters.primary_k
    said = advice(arms_contrasts, k, encoding_speed.get("seconds_per_thousand"))
    terminal.print_arms(arms_leaderboard, arms_contrasts, said, k)
    left_out = [name for name in hybrid.sources if not set(MODELS[name].reads) <= VIEWS]
    if left_out:
        logger.warning(
            "Left out of all arms, since they read more than vectors and neighbours: %s.",
            ", ".join(left_out),
        )
