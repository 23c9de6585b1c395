"""What it costs to make language vectors smaller, or to make them without a language model."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from tqdm.auto import tqdm

from longtail.models.base import TrainingData
from longtail.models.text_profile import TextProfile, user_profiles
from longtail.models.tuning import ValidationTargets, validation_ndcg
from longtail.text.encoder import EncoderParameters, TextEncoder
from longtail.text.whitening import unit_length

TIMED_TEXTS = 256
TIMED_USERS = 256
REPEATS = 3
RIDGE = 1.0
SWEEPS = 60


def compression_table(
    data: TrainingData,
    targets: ValidationTargets,
    k: int = 20,
    encode: Callable[[list[str]], Any] | None = None,
) -> pd.DataFrame:
    """Compare ways to compress the item vectors by what they cost and what they lose.

    Ways: ``float32`` as they are; ``int8``, one scale a dimension; ``int8 of 64 dimensions``, both;
    ``first <d>``, the leading whitened axes alone; ``low rank <d>``, coordinates on the leading
    axes of an SVD of the vectors; ``static``, a distilled model: a vector for each word, summed by
    TF-IDF weights, that reproduces the vectors of the training period's items best, so that no
    language model is needed to encode a text (as Tulkens, van Dongen: Model2Vec, 2024).

    Args:
        data: with item vectors and texts; quality is that of the text profiles.
        targets: validation users and their held-out items.
        k: length of the lists that are judged.
        encode: turns texts into vectors, to be timed; the language model of the data by default.

    Returns:
        One row a way: way, dimensions, ndcg (of the text profiles), ndcg_share (of float32), bytes
        (of the item vectors; of the static model with its words), encode_ms (milliseconds to
        encode one text) and search_ms (milliseconds to score the catalogue for one user).
    """
    vectors = data.item_vectors
    size = vectors.shape[1]
    static, words, encode_static = distil(data)
    language_ms = _encoding_ms(data, encode or _language_model(data))
    static_ms = _encoding_ms(data, encode_static)
    smaller = [d for d in (128, 64, 32) if d < size]
    ways: list[tuple[str, NDArray[np.float32], int, float]] = [
        ("float32", vectors, vectors.nbytes, language_ms),
        ("int8", *_int8(vectors), language_ms),
    ]
    ways += [(f"first {d}", *_first(vectors, d), language_ms) for d in smaller]
    ways += [(f"low rank {d}", *_low_rank(data, d), language_ms) for d in smaller]
    if size > 64:
        reduced, _ = _low_rank(data, 64)
        ways.append(("int8 of low rank 64", *_int8(reduced), language_ms))
    ways.append(("static", static, static.nbytes + words.nbytes, static_ms))
    rows = [
        {
            "way": way,
            "dimensions": kept.shape[1],
            "ndcg": _quality(replace(data, item_vectors=unit_length(kept)), targets, k),
            "bytes": n_bytes,
            "encode_ms": encode_ms,
            "search_ms": _search_ms(replace(data, item_vectors=unit_length(kept)), targets),
        }
        for way, kept, n_bytes, encode_ms in tqdm(ways, desc="Compressing vectors", leave=False)
    ]
    table = pd.DataFrame(rows)
    full = table["ndcg"].iloc[0]
    table.insert(3, "ndcg_share", table["ndcg"] / full if full else np.nan)
    return table


def distil(
    data: TrainingData,
) -> tuple[NDArray[np.float32], NDArray[np.float32], Callable[[list[str]], Any]]:
    """Learn a vector for each word from the items of the training period, by ridge regression.

    Returns:
        (n_items, d) float32 item vectors that the words give, (n_words, d) float32 vectors of the
        words, and a function that encodes texts.
    """
    known = (data.item_texts != "") & (data.histories.item_counts() > 0)
    fitted = np.flatnonzero(known)
    vectorizer = TfidfVectorizer(sublinear_tf=True, min_df=2, dtype=np.float32)
    try:
        vectorizer.fit(data.item_texts[fitted])
    except ValueError:  # no word occurs twice
        vectorizer = TfidfVectorizer(sublinear_tf=True, dtype=np.float32).fit(
            data.item_texts[fitted]
        )
    texts = sp.csr_array(vectorizer.transform(data.item_texts))
    words = _ridge(texts[fitted], data.item_vectors[fitted])

    def encode(more: list[str]) -> NDArray[np.float32]:
        return unit_length(vectorizer.transform(more) @ words)

    return unit_length(texts @ words), words, encode


def _ridge(inputs: sp.csr_array, outputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Solve the normal equations of all outputs at once by conjugate gradients."""
    weights = np.zeros((inputs.shape[1], outputs.shape[1]), dtype=np.float32)
    residual = inputs.T @ outputs
    direction = residual.copy()
    norm = (residual**2).sum(axis=0)
    for _ in range(SWEEPS):
        product = inputs.T @ (inputs @ direction) + RIDGE * direction
        step = norm / np.maximum((direction * product).sum(axis=0), 1e-12)
        weights += step * direction
        residual -= step * product
        following = (residual**2).sum(axis=0)
        direction = residual + following / np.maximum(norm, 1e-12) * direction
        norm = following
    return weights


def _int8(vectors: NDArray[np.float32]) -> tuple[NDArray[np.float32], int]:
    """Return what is left of vectors kept as 8-bit integers, one scale a dimension."""
    scale = np.maximum(np.abs(vectors).max(axis=0), 1e-12) / 127
    kept = np.round(vectors / scale).astype(np.int8)
    return kept * scale.astype(np.float32), kept.nbytes + 4 * len(scale)


def _first(vectors: NDArray[np.float32], dimensions: int) -> tuple[NDArray[np.float32], int]:
    kept = np.ascontiguousarray(vectors[:, :dimensions])
    return kept, kept.nbytes


def _low_rank(data: TrainingData, dimensions: int) -> tuple[NDArray[np.float32], int]:
    """Return coordinates on the leading axes of the items of the training period."""
    vectors = data.item_vectors
    fitted = vectors[data.histories.item_counts() > 0].astype(np.float64)
    _, axes = np.linalg.eigh(fitted.T @ fitted)
    kept = (vectors @ axes[:, ::-1][:, :dimensions]).astype(np.float32)
    return kept, kept.nbytes


def _quality(data: TrainingData, targets: ValidationTargets, k: int) -> float:
    model = TextProfile()
    return validation_ndcg(model, model.fit(data), data, targets, k)


def _search_ms(data: TrainingData, targets: ValidationTargets) -> float:
    """Return the milliseconds that it takes to score the catalogue for one user."""
    profiles = user_profiles(data, targets.users[:TIMED_USERS], 1.0)
    return _milliseconds(lambda: profiles @ data.item_vectors.T) / max(1, len(profiles))


def _encoding_ms(data: TrainingData, encode: Callable[[list[str]], Any]) -> float:
    """Return the milliseconds that one more text takes, without what loading a model takes."""
    texts = data.item_texts[data.item_texts != ""][:TIMED_TEXTS].tolist()
    more = _milliseconds(lambda: encode(texts)) - _milliseconds(lambda: encode(texts[:1]))
    return max(0.0, more / max(1, len(texts) - 1))


def _milliseconds(work: Callable[[], Any]) -> float:
    """Return the shortest of some times, after one that is not counted."""
    work()
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return 1000 * min(times)


def _language_model(data: TrainingData) -> Callable[[list[str]], Any]:
    return TextEncoder(EncoderParameters(model=data.language_model)).encode
