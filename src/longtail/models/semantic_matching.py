"""Match users and items by meaning: as vectors, as text and by attributes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from longtail.errors import NotApplicableError
from longtail.models.attributes import attribute_vectors
from longtail.models.base import Arrays, Recommender, TrainingData, content_digest
from longtail.models.text_profile import user_profiles
from longtail.text.encoder import EncoderParameters, TextEncoder
from longtail.text.whitening import unit_length, whiten


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
    text_weight: float = Field(0.3, ge=0, le=1, description="Weight of the user as one text.")
    attribute_weight: float = Field(0.3, ge=0, le=1, description="Weight of the attributes.")
    similarity: Literal["cosine", "dot"] = Field("cosine", description="How parts are compared.")
    profile_items: int = Field(5, ge=1, description="Latest items in a user's text.")
    words_per_item: int = Field(12, ge=1, description="First words of each item's text.")
    attribute_dimensions: int = Field(64, ge=1, description="Axes of the attributes.")

    evidence: ClassVar[str] = "its fit to your items in words, kind, brand and price"
    search_space: ClassVar[Mapping[str, list[Any] | tuple[float, float]]] = {
        "attribute_weight": [0.0, 0.1, 0.3],
        "similarity": ["cosine", "dot"],
        "recency_decay": [0.5, 0.7, 0.85],
    }
    starting_points: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {"attribute_weight": 0.3, "similarity": "cosine", "recency_decay": 0.7},
        {"attribute_weight": 0.1, "similarity": "dot", "recency_decay": 0.7},
    )

    def fit(self, data: TrainingData) -> Arrays:
        """Return ``user_vectors`` and ``item_vectors``, the fused parts of both.

        Raises:
            NotApplicableError: the user as text is wanted and items have no texts or embeddings.
        """
        user_parts, item_parts = [user_profiles(data, self.recency_decay)], [data.item_vectors]
        weights = [1.0]
        attributes = attribute_vectors(
            data.item_attributes,
            data.histories.item_counts() > 0,
            self.attribute_dimensions,
            data.seed,
        )
        if attributes.shape[1] and self.attribute_weight:
            behaviour = data.histories.matrix(
                data.histories.weights * data.histories.recency_weights(self.recency_decay)
            )
            user_parts.append(unit_length(behaviour @ attributes))
            item_parts.append(attributes)
            weights.append(self.attribute_weight)
        if self.text_weight:
            users, items = self._encoded(data)
            user_parts.append(users)
            item_parts.append(items)
            weights.append(self.text_weight)
        vectors = {
            "user_vectors": _side_by_side(user_parts, weights),
            "item_vectors": _side_by_side(item_parts, weights),
        }
        if self.similarity == "cosine":
            vectors = {name: unit_length(rows) for name, rows in vectors.items()}
        return vectors

    def score(
        self, arrays: Arrays, data: TrainingData, users: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return the cosines or dot products of the fused vectors."""
        return arrays["user_vectors"][users] @ arrays["item_vectors"].T

    def _encoded(self, data: TrainingData) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return unit vectors of the users' texts and of the items' texts, on the same axes."""
        known = data.item_texts != ""
        if not known.any() or len(data.item_embeddings) == 0:
            raise NotApplicableError(
                "SemanticMatching is left out: its text_weight needs the texts of the items and"
                " their embeddings."
            )
        texts = user_texts(data, self.profile_items, self.words_per_item)
        has_text = texts != ""
        embeddings = np.zeros((len(texts), data.item_embeddings.shape[1]), dtype=np.float32)
        if has_text.any():
            embeddings[has_text] = _embeddings(texts[has_text], data)
        # The axes are those of the items of the training period, for both.
        reference = known & (data.histories.item_counts() > 0)
        rows = whiten(
            np.concatenate([data.item_embeddings, embeddings]),
            known=np.concatenate([known, has_text]),
            reference=np.concatenate([reference, np.zeros_like(has_text)]),
            dimensions=data.item_vectors.shape[1],
        )
        return rows[len(known) :], rows[: len(known)]


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


def _side_by_side(parts: list[NDArray[np.float32]], weights: list[float]) -> NDArray[np.float32]:
    scaled = [
        part * np.float32(np.sqrt(weight)) for part, weight in zip(parts, weights, strict=True)
    ]
    return np.concatenate(scaled, axis=1)
