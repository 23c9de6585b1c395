"""Compression of language vectors: quality and cost of smaller and of static ones."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from longtail.progress import progress
from longtail.recommenders.base import TrainingData
from longtail.recommenders.content.text_profile import TextProfile, user_profiles
from longtail.recommenders.validation import ValidationTargets, validation_ndcg
from longtail.studies.static_model import StaticModel
from longtail.text.encoder import TextEncoder
from longtail.text.whitening import unit_length

TIMED_TEXTS = 256
TIMED_USERS = 256
REPEATS = 3

Encode: TypeAlias = Callable[[list[str]], Any]


def compression_table(
    data: TrainingData,
    targets: ValidationTargets,
    k: int,
    encode: Encode | None = None,
) -> pd.DataFrame:
    """Compare ways to compress the item vectors by cost and quality.

    Ways: ``float32``, uncompressed; ``int8``, with a scale for each dimension; ``first <d>``, the
    leading whitened axes; ``low rank <d>``, the coordinates on the leading axes of an SVD; ``int8
    of low rank 64``; and ``static``, a distilled model that needs no language model to encode a
    text, see ``StaticModel``.

    Args:
        data: training data with item vectors and texts.
        targets: held-out items of the validation users.
        k: length of the lists.
        encode: encoder of the uncompressed vectors, to be timed; by default the language model of
            the data.

    Returns:
        One row per way: way, dimensions, ndcg (of text profiles, on validation), ndcg_share
        (relative to float32), bytes (of the item vectors; of the static model with its words),
        encode_ms (milliseconds per text) and search_ms (milliseconds to score the catalogue for
        one user).
    """
    ways = _ways(data, encode or _language_model(data))
    rows = []
    for way, vectors, n_bytes, encode_ms in progress(ways, desc="Compressing vectors"):
        compressed = replace(data, items=replace(data.items, vectors=unit_length(vectors)))
        rows.append(
            {
                "way": way,
                "dimensions": vectors.shape[1],
                "ndcg": _quality(compressed, targets, k),
                "bytes": n_bytes,
                "encode_ms": encode_ms,
                "search_ms": _search_ms(compressed, targets),
            }
        )
    table = pd.DataFrame(rows)
    full = table["ndcg"].iloc[0]
    table.insert(3, "ndcg_share", table["ndcg"] / full if full else np.nan)
    return table


def _ways(data: TrainingData, encode: Encode) -> list[tuple[str, NDArray[np.float32], int, float]]:
    """Return name, vectors, bytes and milliseconds of encoding of each way."""
    vectors = data.items.vectors
    size = vectors.shape[1]
    language_ms = _encoding_ms(data, encode)
    smaller = [d for d in (128, 64, 32) if d < size]
    ways = [
        ("float32", vectors, vectors.nbytes, language_ms),
        ("int8", *_int8(vectors), language_ms),
    ]
    ways += [(f"first {d}", *_first(vectors, d), language_ms) for d in smaller]
    ways += [(f"low rank {d}", *_low_rank(data, d), language_ms) for d in smaller]
    if size > 64:
        reduced, _ = _low_rank(data, 64)
        ways.append(("int8 of low rank 64", *_int8(reduced), language_ms))
    static = StaticModel.distil(data)
    encoded = static.encode(data.items.texts)
    n_bytes = encoded.nbytes + static.words.nbytes
    ways.append(("static", encoded, n_bytes, _encoding_ms(data, static.encode)))
    return ways


def _int8(vectors: NDArray[np.float32]) -> tuple[NDArray[np.float32], int]:
    """Return vectors rounded to 8-bit integers with a scale for each dimension, and their bytes."""
    scale = np.maximum(np.abs(vectors).max(axis=0), 1e-12) / 127
    kept = np.round(vectors / scale).astype(np.int8)
    return kept * scale.astype(np.float32), kept.nbytes + 4 * len(scale)


def _first(vectors: NDArray[np.float32], dimensions: int) -> tuple[NDArray[np.float32], int]:
    """Return the leading dimensions and their bytes."""
    kept = np.ascontiguousarray(vectors[:, :dimensions])
    return kept, kept.nbytes


def _low_rank(data: TrainingData, dimensions: int) -> tuple[NDArray[np.float32], int]:
    """Return coordinates on the leading axes of the training items, and their bytes."""
    vectors = data.items.vectors
    fitted = vectors[data.histories.item_counts() > 0].astype(np.float64)
    _, axes = np.linalg.eigh(fitted.T @ fitted)
    kept = (vectors @ axes[:, ::-1][:, :dimensions]).astype(np.float32)
    return kept, kept.nbytes


def _quality(data: TrainingData, targets: ValidationTargets, k: int) -> float:
    """Return the validation NDCG of text profiles."""
    model = TextProfile()
    return validation_ndcg(model, model.fit(data), data, targets, k)


def _search_ms(data: TrainingData, targets: ValidationTargets) -> float:
    """Return the milliseconds to score the catalogue for one user."""
    profiles = user_profiles(data, targets.users[:TIMED_USERS], 1.0)
    return _milliseconds(lambda: profiles @ data.items.vectors.T) / max(1, len(profiles))


def _encoding_ms(data: TrainingData, encode: Encode) -> float:
    """Return the marginal milliseconds to encode a text, without the fixed cost of a call."""
    texts = data.items.texts[data.items.texts != ""][:TIMED_TEXTS].tolist()
    more = _milliseconds(lambda: encode(texts)) - _milliseconds(lambda: encode(texts[:1]))
    return max(0.0, more / max(1, len(texts) - 1))


def _milliseconds(work: Callable[[], Any]) -> float:
    """Return the shortest of several runs, after a warm-up."""
    work()
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return 1000 * min(times)


def _language_model(data: TrainingData) -> Encode:
    return TextEncoder(data.items.encoder).encode
