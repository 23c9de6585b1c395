"""Match users and items by meaning: as vectors, as text and by attributes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from longtail.arrays import Arrays, content_digest
from longtail.errors import NotApplicableError
from longtail.models.attributes import attribute_vectors
from longtail.models.base import Recommender, TrainingData
from longtail.models.text_profile import user_profiles
from longtail.text.encoder import EncoderParameters, TextEncoder
from longtail.text.whitening import unit_length

RIDGE = 0.01


class SemanticMatching(Recommender):
    """Fuse what a user's behaviour says as vectors, as text and in attributes.

    As vectors: the weighted sum of the vectors of the user's items. As text: the texts of the
    latest items, the newest first, encoded as one text by the language model. In attributes: the
    weighted sum of the normalised categories, brands and prices. Each part is a unit vector times
    the square root of its weight; user and item are the parts side by side, compared by the cosine
    or by the dot product. The two differ where an item lacks a part: the cosine judges it by the
    others alone, the dot product counts the part as no match.
    """

    recency_decay: float = Field(0.7, gt=0, le=1, description="Weight lost per newer item.")
    text_weight: float = Field(0.0, ge=0, le=1, description="Weight of the user as one text.")
    attribute_weight: float = Field(0.3, ge=0, le=1, description="Weight of the attributes.")
    similarity: Literal["cosine", "dot"] = Field("cosine", description="How parts are compared.")
    profile_items: int = Field(5, ge=1, description="Latest items in a user's text.")
    words_per_item: int = Field(12, ge=1, description="First words of each item's text.")
    attribute_dimensions: int = Field(64, ge=1, description="Axes of the attributes.")

    reads: ClassVar[tuple[str, ...]] = (
        "item_vectors",
        "item_embeddings",
        "item_texts",
        "item_attributes",
        "language_model",
    )
    evidence: ClassVar[str] = "its fit to your items in words, kind, brand and price"
    search_space: ClassVar[Mapping[str, list[Any] | tuple[float, float]]] = {
        "text_weight": [0.0, 0.3],
        "attribute_weight": [0.0, 0.1, 0.3],
        "similarity": ["cosine", "dot"],
        "recency_decay": [0.5, 0.7, 0.85],
    }
    starting_points: ClassVar[tuple[Mapping[str, Any], ...]] = tuple(
        {"text_weight": text, "attribute_weight": 0.3, "similarity": kind, "recency_decay": 0.7}
        for text, kind in ((0.3, "cosine"), (0.0, "cosine"), (0.0, "dot"))
    )

    def fit(self, data: TrainingData) -> Arrays:
        """Return what users and items are compared by.

        ``item_vectors``: the fused parts of the items; ``attributes`` (n_items, d) and, where the
        user as text counts, ``reader``: a linear map from embeddings to the item vectors, and
        ``user_text_vectors`` (n_users, d).

        Raises:
            NotApplicableError: the user as text is wanted and items have no texts or embeddings.
        """
        known = data.histories.item_counts() > 0
        attributes = attribute_vectors(
            data.item_attributes, known, self.attribute_dimensions, data.seed
        )
        parts = {"attributes": attributes}
        if self.text_weight:
            parts["reader"] = _reader(data, known)
        parts["item_vectors"] = self._fuse(
            data.item_vectors, attributes, data.item_vectors if self.text_weight else None
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
        """Return the cosines or dot products of the fused parts."""
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
        """Put the weighted parts side by side."""
        parts = [vectors, np.float32(self.attribute_weight**0.5) * attributes]
        if texts is not None:
            parts.append(np.float32(self.text_weight**0.5) * texts)
        fused = np.concatenate(parts, axis=1)
        return unit_length(fused) if self.similarity == "cosine" else fused


def _reader(data: TrainingData, known: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the (d + 1, k) linear map from embeddings to item vectors, by ridge regression.

    The item vectors are whitened embeddings: the map brings other texts onto the same axes.
    """
    fitted = known & (data.item_texts != "") if len(data.item_texts) else known & False
    if not fitted.any() or len(data.item_embeddings) == 0:
        raise NotApplicableError(
            "SemanticMatching is left out: its text_weight needs the texts of the items and their"
            " embeddings."
        )
    inputs = _with_constant(data.item_embeddings[fitted]).astype(np.float64)
    gram = inputs.T @ inputs + RIDGE * np.eye(inputs.shape[1])
    return np.linalg.solve(gram, inputs.T @ data.item_vectors[fitted]).astype(np.float32)


def _read(embeddings: NDArray[np.float32], reader: NDArray[np.float32]) -> NDArray[np.float32]:
    return unit_length(_with_constant(embeddings) @ reader)


def _with_constant(embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    ones = np.ones((len(embeddings), 1), dtype=np.float32)
    return np.concatenate([unit_length(embeddings), ones], axis=1)


def _embeddings(texts: NDArray[np.object_], data: TrainingData) -> NDArray[np.float32]:
    """Return the embeddings of texts, kept with the checkpoints by what they are made from."""
    encoder = TextEncoder(EncoderParameters(model=data.language_model))
    key = content_digest({"encoder": np.array([encoder.fingerprint], dtype=object), "texts": texts})
    kept = data.checkpoints.get(key)
    if kept is None:
        kept = {"embeddings": encoder.encode(texts.tolist())}
        data.checkpoints[key] = kept
    return kept["embeddings"]


def user_texts(data: TrainingData, items: int, words: int) -> NDArray[np.object_]:
    """Return (n_users,) texts: the first words of each user's latest items, the newest first.

    "" for a user without a history.
    """
    histories = data.histories
    short = [" ".join(str(text).split()[:words]) for text in data.item_texts]
    last = np.cumsum(histories.history_lengths())[histories.users] - 1
    age = last - np.arange(len(histories.users))
    latest = np.flatnonzero(age < items)[::-1]
    lists: list[list[str]] = [[] for _ in range(histories.n_users)]
    for user, item in zip(histories.users[latest], histories.items[latest], strict=True):
        lists[user].append(short[item])
    return np.array(["; ".join(filter(None, parts)) for parts in lists], dtype=object)
