"""Semantic matching of users and items by language vectors, text and attributes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from longtail.arrays import Arrays, content_digest
from longtail.errors import NotApplicableError
from longtail.recommenders.base import RECENT_DECAYS, Decay, Recommender, TrainingData
from longtail.recommenders.content.attributes import attribute_vectors
from longtail.recommenders.content.text_profile import user_profiles
from longtail.text.encoder import TextEncoder
from longtail.text.encoder_parameters import EncoderParameters
from longtail.text.whitening import unit_length

RIDGE = 0.01


class SemanticMatching(Recommender):
    """Compare users and items on the concatenation of three parts.

    The parts of a user: the text profile; the texts of the latest items, newest first, encoded as
    one text by the language model; and the weighted sum of the attribute vectors. Each part is a
    unit vector times the square root of its weight. Users and items are compared by cosine or dot
    product, which differ where an item lacks a part: the cosine ignores the part, the dot product
    counts it as a mismatch.
    """

    recency_decay: Decay = 0.7
    text_weight: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Weight of the part that encodes the user's latest items as one text; 0: none.",
    )
    attribute_weight: float = Field(
        0.3, ge=0, le=1, description="Weight of the attributes; 0: none."
    )
    similarity: Literal["cosine", "dot"] = Field(
        "cosine", description="Comparison of users and items."
    )
    profile_items: int = Field(5, ge=1, description="Latest items in the text of a user.")
    words_per_item: int = Field(
        12, ge=1, description="Leading words of each item in the text of a user."
    )
    attribute_dimensions: int = Field(
        64, ge=1, description="Maximum size of the attribute vectors."
    )

    reads: ClassVar[tuple[str, ...]] = (
        "vectors",
        "embeddings",
        "texts",
        "attributes",
        "encoder",
    )
    user_arrays: ClassVar[tuple[str, ...]] = ("user_text_vectors",)
    evidence: ClassVar[str] = "how well its description, category, brand and price fit your items"
    search_space: ClassVar[Mapping[str, list[Any] | tuple[float, float]]] = {
        "text_weight": [0.0, 0.3],
        "attribute_weight": [0.0, 0.1, 0.3],
        "similarity": ["cosine", "dot"],
        "recency_decay": RECENT_DECAYS,
    }
    starting_points: ClassVar[tuple[Mapping[str, Any], ...]] = tuple(
        {"text_weight": text, "attribute_weight": 0.3, "similarity": kind, "recency_decay": 0.7}
        for text, kind in ((0.3, "cosine"), (0.0, "cosine"), (0.0, "dot"))
    )

    def fit(self, data: TrainingData) -> Arrays:
        """Return ``item_vectors``, the parts of the items, and ``attributes`` (n_items, d).

        With a text weight also ``reader``, a linear map from embeddings to language vectors, and
        ``user_text_vectors`` (n_users, d).

        Raises:
            NotApplicableError: there is a text weight, and items have no texts or embeddings.
        """
        known = data.histories.item_counts() > 0
        attributes = attribute_vectors(
            data.items.attributes, known, self.attribute_dimensions, data.seed
        )
        parts = {"attributes": attributes}
        if self.text_weight:
            parts["reader"] = _reader(data, known)
        parts["item_vectors"] = self._fuse(
            data.items.vectors, attributes, data.items.vectors if self.text_weight else None
        )
        return self.fold_in(parts, data)

    def fold_in(self, arrays: Arrays, data: TrainingData) -> Arrays:
        """Encode the texts of the users of other data."""
        if not self.text_weight:
            return arrays
        texts = user_texts(data, self.profile_items, self.words_per_item)
        vectors = np.zeros((len(texts), arrays["reader"].shape[1]), dtype=np.float32)
        has_text = texts != ""
        if has_text.any():
            vectors[has_text] = _read(_embeddings(texts[has_text], data), arrays["reader"])
        return arrays | {"user_text_vectors": vectors}

    def score(
        self, arrays: Arrays, data: TrainingData, users: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return the cosines or dot products of users and items."""
        histories = data.histories
        weights = histories.weights * histories.recency_weights(self.recency_decay)
        vectors = self._fuse(
            user_profiles(data, users, self.recency_decay),
            unit_length(histories.matrix(weights)[users] @ arrays["attributes"]),
            arrays["user_text_vectors"][users] if self.text_weight else None,
        )
        return vectors @ arrays["item_vectors"].T

    def _fuse(
        self,
        vectors: NDArray[np.float32],
        attributes: NDArray[np.float32],
        texts: NDArray[np.float32] | None,
    ) -> NDArray[np.float32]:
        """Concatenate the weighted parts."""
        parts = [vectors, np.float32(self.attribute_weight**0.5) * attributes]
        if texts is not None:
            parts.append(np.float32(self.text_weight**0.5) * texts)
        fused = np.concatenate(parts, axis=1)
        return unit_length(fused) if self.similarity == "cosine" else fused


def _reader(data: TrainingData, known: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the (d + 1, k) linear map from embeddings to language vectors, by ridge regression.

    It approximates the whitening and adaptation, so that other texts can be placed on the same
    axes.
    """
    fitted = known & (data.items.texts != "") if len(data.items.texts) else known & False
    if not fitted.any() or len(data.items.embeddings) == 0:
        raise NotApplicableError(
            "SemanticMatching is left out: a text_weight above 0 needs item texts and their"
            " embeddings."
        )
    inputs = _with_constant(data.items.embeddings[fitted]).astype(np.float64)
    gram = inputs.T @ inputs + RIDGE * np.eye(inputs.shape[1])
    return np.linalg.solve(gram, inputs.T @ data.items.vectors[fitted]).astype(np.float32)


def _read(embeddings: NDArray[np.float32], reader: NDArray[np.float32]) -> NDArray[np.float32]:
    return unit_length(_with_constant(embeddings) @ reader)


def _with_constant(embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    ones = np.ones((len(embeddings), 1), dtype=np.float32)
    return np.concatenate([unit_length(embeddings), ones], axis=1)


def _embeddings(texts: NDArray[np.object_], data: TrainingData) -> NDArray[np.float32]:
    """Return the embeddings of texts, cached in the checkpoints by encoder and texts."""
    encoder = _encoder(data.items.encoder)
    key = content_digest({"encoder": np.array([encoder.fingerprint], dtype=object), "texts": texts})
    kept = data.checkpoints.get(key)
    if kept is None:
        kept = {"embeddings": encoder.encode(texts.tolist())}
        data.checkpoints[key] = kept
    return kept["embeddings"]


@lru_cache(maxsize=1)
def _encoder(parameters: EncoderParameters) -> TextEncoder:
    """Return the encoder, loaded once for all requests to a served model."""
    return TextEncoder(parameters)


def user_texts(data: TrainingData, items: int, words: int) -> NDArray[np.object_]:
    """Return (n_users,) texts: the leading words of each user's latest items, newest first.

    "" for a user without a history.
    """
    histories = data.histories
    short = [" ".join(str(text).split()[:words]) for text in data.items.texts]
    last = np.cumsum(histories.history_lengths())[histories.users] - 1
    age = last - np.arange(len(histories.users))
    latest = np.flatnonzero(age < items)[::-1]
    lists: list[list[str]] = [[] for _ in range(histories.n_users)]
    for user, item in zip(histories.users[latest], histories.items[latest], strict=True):
        lists[user].append(short[item])
    return np.array(["; ".join(filter(None, parts)) for parts in lists], dtype=object)
