"""Nodes of the controls: other vectors, the hybrid fitted anew, one table."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from longtail.errors import UserError
from longtail.metrics.leaderboard import Row
from longtail.models import COLLABORATIVE, LANGUAGE
from longtail.models.base import TrainingData
from longtail.models.candidates import FittedModel
from longtail.models.controls import random_vectors_of_same_spectrum, shuffled_vectors
from longtail.models.hybrid import HybridParameters
from longtail.models.tuning import TuningParameters
from longtail.pipelines.evaluation.nodes import evaluate_models
from longtail.pipelines.evaluation.params import EvaluationParameters
from longtail.pipelines.hybrid_scoring.nodes import gate_of_sources, lists_of_sources
from longtail.pipelines.item_encoding.nodes import (
    collect_embeddings,
    encode_new_texts,
    find_text_neighbours,
    whiten_embeddings,
)
from longtail.pipelines.item_encoding.params import ItemEncodingParameters
from longtail.pipelines.recommenders import (
    applicable,
    fitted_models,
    no_recommendations,
)
from longtail.reporting import terminal
from longtail.text.encoder import TextEncoder
from longtail.text.item_text import add_understanding

Vectors = dict[str, NDArray[np.float32]]

NO_TEXT = "hybrid_no_text"


def shuffle_vectors(item_vectors: Vectors, tuning: TuningParameters) -> Vectors:
    """Give every item the language vector of another."""
    return {"vectors": shuffled_vectors(item_vectors["vectors"], tuning.seed)}


def draw_random_vectors(item_vectors: Vectors, tuning: TuningParameters) -> Vectors:
    """Draw vectors with the spectrum of the language vectors."""
    return {"vectors": random_vectors_of_same_spectrum(item_vectors["vectors"], tuning.seed)}


def encode_with_second_encoder(
    parameters: ItemEncodingParameters,
    item_texts: pd.DataFrame,
    item_understanding: pd.DataFrame,
    cached: pd.DataFrame,
    train: pd.DataFrame,
) -> tuple[pd.DataFrame, Vectors, dict[str, Any]]:
    """Encode and whiten the item texts as the item encoding does, a second time in another way.

    The encoder is the second one where it is set, and keywords or summaries join the texts where
    the parameter ``second_text`` says so.

    Returns:
        Keys and vectors of the new texts, the whitened vectors, and how long the encoding took; all
        empty where neither is set.
    """
    if parameters.second_encoder is None and not parameters.second_text:
        return cached.iloc[:0], {}, {}
    encoder = parameters.second_encoder or parameters.encoder
    second = parameters.model_copy(update={"encoder": encoder})
    text = add_understanding(item_texts["text"], item_understanding, parameters.second_text)
    texts = item_texts.assign(text=text, key=TextEncoder(encoder).text_keys(text))
    encoded, speed = encode_new_texts(texts, texts.iloc[:0], cached, second)
    embeddings = collect_embeddings(texts, cached, encoded)
    return encoded, whiten_embeddings(embeddings, texts, train, second), speed


def find_neighbours(vectors: Vectors, parameters: ItemEncodingParameters) -> sp.csr_array:
    """Return the nearest items of each item by the control's vectors; none without vectors."""
    if not vectors:
        return sp.csr_array((0, 0), dtype=np.float32)
    return find_text_neighbours(vectors, parameters)


def fit_control_gate(
    hybrid: HybridParameters, tuning: TuningParameters, **inputs: Any
) -> dict[str, Any]:
    """Refit the sources that read text on the control's vectors, and the gate and knob on these.

    A control whose vectors were not made has no gate.
    """
    if inputs.get("item_vectors") == {}:
        return {}
    return gate_of_sources(hybrid, tuning, inputs, _sources)


def recommend_with_control(
    hybrid: HybridParameters,
    tuning: TuningParameters,
    gate: dict[str, Any],
    test: pd.DataFrame,
    length: int,
    **inputs: Any,
) -> pd.DataFrame:
    """Return the control's ranked lists of all users of the test period; none without a gate."""
    if not gate:
        return no_recommendations()
    return lists_of_sources(hybrid, tuning, gate, test, length, inputs, _sources)


def evaluate_controls(
    parameters: EvaluationParameters, **tables: Any
) -> tuple[list[Row], list[Row]]:
    """Return the leaderboard of hybrid and controls, and the comparisons with the one without text.

    Args:
        parameters: what is measured and how.
        **tables: the tables and recommendations that ``evaluate_models`` takes.
    """
    against_no_text = parameters.model_copy(update={"baseline": NO_TEXT})
    _, _, leaderboard, comparisons = evaluate_models(against_no_text, **tables)
    return leaderboard, comparisons


def show_controls(
    leaderboard: list[Row], comparisons: list[Row], parameters: EvaluationParameters
) -> None:
    """Print the controls' table to the terminal."""
    terminal.print_leaderboard(leaderboard, comparisons, parameters.primary_k, NO_TEXT)


def _sources(
    hybrid: HybridParameters, data: TrainingData, parts: dict[str, Any], given: Collection[str]
) -> dict[str, FittedModel]:
    """Return the collaborative sources as fitted, and those that read text fitted anew.

    A source that reads what the control does not give is left out: without vectors all that read
    text, and with other vectors those that read the words themselves.

    Raises:
        UserError: no source is left.
    """
    names = applicable(hybrid.sources, parts)
    collaborative = tuple(name for name in names if name in COLLABORATIVE)
    sources = fitted_models(COLLABORATIVE, collaborative, parts)
    for name in names:
        if name in LANGUAGE and set(LANGUAGE[name].reads) <= set(given):
            recommender = LANGUAGE[name](**parts[f"{name}_hyperparameters"])
            sources[name] = FittedModel(recommender, recommender.fit(data))
    if not sources:
        raise UserError(
            "Parameter hybrid.sources: all sources read text, so there is no hybrid without text"
            f" to compare with; add one of {', '.join(COLLABORATIVE)}."
        )
    return sources
