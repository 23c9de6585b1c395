"""Nodes of the controls: other vectors, the hybrid fitted anew, one table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from longtail.arrays import Arrays
from longtail.behaviour.histories import Histories
from longtail.errors import UserError
from longtail.hybrid.fitting import fit_hybrid
from longtail.hybrid.model import Hybrid
from longtail.hybrid.parameters import HybridParameters
from longtail.hybrid.ranking import recommend_hybrid
from longtail.metrics.leaderboard import Row
from longtail.pipelines.evaluation.nodes import evaluate_models
from longtail.pipelines.evaluation.params import EvaluationParameters
from longtail.pipelines.item_encoding.nodes import (
    collect_embeddings,
    encode_new_texts,
    neighbours_of,
    whiten_embeddings,
)
from longtail.pipelines.item_encoding.params import ItemEncodingParameters
from longtail.pipelines.recommenders.nodes import indices_of_users
from longtail.recommenders.base import TrainingData
from longtail.recommenders.fitted_model import FittedModel
from longtail.recommenders.item_features import ItemFeatures
from longtail.recommenders.validation import validation_targets
from longtail.reporting import terminal
from longtail.studies.control_vectors import random_vectors_of_same_spectrum, shuffled_vectors
from longtail.text.encoder import TextEncoder
from longtail.text.item_text import add_understanding
from longtail.tuning.search import TuningParameters

NO_TEXT = "hybrid_no_text"


def shuffle_vectors(item_features: ItemFeatures, tuning: TuningParameters) -> Arrays:
    """Give every item the language vector of another."""
    return {"vectors": shuffled_vectors(item_features.vectors, tuning.seed)}


def draw_random_vectors(item_features: ItemFeatures, tuning: TuningParameters) -> Arrays:
    """Draw vectors with the spectrum of the language vectors."""
    return {"vectors": random_vectors_of_same_spectrum(item_features.vectors, tuning.seed)}


def encode_with_second_encoder(
    parameters: ItemEncodingParameters,
    item_texts: pd.DataFrame,
    item_understanding: pd.DataFrame,
    cached: pd.DataFrame,
    train: pd.DataFrame,
) -> tuple[pd.DataFrame, Arrays, dict[str, Any]]:
    """Encode and whiten the item texts a second time, in another way.

    The encoder is the second one where it is set, and keywords or summaries join the texts where
    the parameter ``second_text`` says so.

    Returns:
        Keys and vectors of the new texts, the whitened vectors, and how long the encoding took.
    """
    encoder = parameters.second_encoder or parameters.encoder
    second = parameters.model_copy(update={"encoder": encoder})
    text = add_understanding(item_texts["text"], item_understanding, parameters.second_text)
    texts = item_texts.assign(text=text, key=TextEncoder(encoder).text_keys(text))
    encoded, speed = encode_new_texts(texts, texts.iloc[:0], cached, second)
    embeddings = collect_embeddings(texts, cached, encoded)
    return encoded, whiten_embeddings(embeddings, texts, train, second), speed


def describe_items_by(vectors: Arrays, parameters: ItemEncodingParameters) -> ItemFeatures:
    """Return item features that hold the control's vectors alone, in every place of a vector."""
    graph, _ = neighbours_of(vectors["vectors"], parameters)
    return ItemFeatures(
        vectors=vectors["vectors"],
        text_neighbours=graph,
        frozen_neighbours=graph,
        tfidf_neighbours=graph,
        embeddings=vectors["vectors"],
    )


def fit_control_gate(
    hybrid: HybridParameters,
    tuning: TuningParameters,
    training: Histories,
    held_out: Histories,
    baseline: FittedModel,
    control_features: ItemFeatures | None = None,
    **sources: FittedModel,
) -> dict[str, Any]:
    """Refit the sources that read text on the control's vectors, and the gate on these.

    Without features the sources that read text are left out.
    """
    data = TrainingData(training, control_features or ItemFeatures(), tuning.seed)
    targets = validation_targets(training, held_out.matrix(), tuning.max_users, tuning.seed)
    usable = sources_on(sources, hybrid.sources, data)
    return fit_hybrid(usable, data, targets, baseline, hybrid, tuning.k).to_json()


def recommend_with_control(
    hybrid: HybridParameters,
    tuning: TuningParameters,
    gate: dict[str, Any],
    past: Histories,
    test: pd.DataFrame,
    length: int,
    control_features: ItemFeatures | None = None,
    **sources: FittedModel,
) -> pd.DataFrame:
    """Return the control's ranked lists of all users of the test period."""
    data = TrainingData(past, control_features or ItemFeatures(), tuning.seed)
    usable = sources_on(sources, hybrid.sources, data)
    users = indices_of_users(test, past)
    return recommend_hybrid(Hybrid.from_json(gate), usable, data, users, length, hybrid)


def evaluate_controls(
    parameters: EvaluationParameters,
    test_interactions: pd.DataFrame,
    train_interactions: pd.DataFrame,
    validation_interactions: pd.DataFrame,
    item_groups: pd.DataFrame,
    user_groups: pd.DataFrame,
    language_vectors: Arrays,
    **recommendations: pd.DataFrame,
) -> tuple[list[Row], list[Row]]:
    """Return the leaderboard of hybrid and controls, and the comparisons with the one without text.

    The tables are those of ``evaluate_models``.
    """
    _, _, leaderboard, comparisons = evaluate_models(
        parameters.model_copy(update={"baseline": NO_TEXT}),
        test_interactions=test_interactions,
        train_interactions=train_interactions,
        validation_interactions=validation_interactions,
        item_groups=item_groups,
        user_groups=user_groups,
        language_vectors=language_vectors,
        **recommendations,
    )
    return leaderboard, comparisons


def show_controls(
    leaderboard: list[Row], comparisons: list[Row], parameters: EvaluationParameters
) -> None:
    """Print the controls' table to the terminal."""
    terminal.print_leaderboard(
        leaderboard, comparisons, parameters.primary_k, NO_TEXT, parameters.confidence
    )


def sources_on(
    models: dict[str, FittedModel], names: Sequence[str], data: TrainingData
) -> dict[str, FittedModel]:
    """Return the collaborative sources as fitted, and those that read text fitted anew.

    A source that reads a feature that the data lack is left out: without vectors all that read
    text, and with other vectors those that read the words themselves.

    Raises:
        UserError: no source is left.
    """
    sources: dict[str, FittedModel] = {}
    # Collaborative sources first: the order of the features decides the last bits of the gate.
    for name in sorted(names, key=lambda name: bool(models[name].recommender.reads)):
        model, reads = models[name], models[name].recommender.reads
        if model.not_applicable or not all(map(data.items.has, reads)):
            continue
        recommender = model.recommender
        sources[name] = FittedModel(recommender, recommender.fit(data)) if reads else model
    if not sources:
        raise UserError(
            "Parameter hybrid.sources: all sources read text, so there is no hybrid without text"
            " to compare with; add a collaborative model such as als."
        )
    return sources
