"""Item features other than behaviour: vectors, neighbours, texts and attributes."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from longtail.arrays import Arrays, pack_sparse, pack_strings, unpack_sparse, unpack_strings
from longtail.text.encoder_parameters import EncoderParameters

GRAPHS = ("text_neighbours", "frozen_neighbours", "tfidf_neighbours")
TEXT_ATTRIBUTES = ("categories", "brand")
PRICE = "price"


def _no_vectors() -> NDArray[np.float32]:
    return np.empty((0, 0), np.float32)


def _no_neighbours() -> sp.csr_array:
    return sp.csr_array((0, 0), dtype=np.float32)


@dataclass(frozen=True)
class ItemFeatures:
    """Features of all items in catalogue order; a feature that was not made is empty.

    Attributes:
        vectors: (n_items, d) float32 text vectors of unit length; zeros for items without a text.
        text_neighbours: (n_items, n_items) cosines of the nearest items by these vectors.
        frozen_neighbours: (n_items, n_items) the same by vectors that behaviour did not adapt.
        tfidf_neighbours: (n_items, n_items) the same by TF-IDF vectors.
        embeddings: (n_items, d) float32 output of the language model, before whitening.
        texts: (n_items,) item texts, "" where there is none.
        attributes: (n_items rows) categories and brand (text), price (float, NaN where unknown).
        encoder: the language model behind the vectors, with its settings.
    """

    vectors: NDArray[np.float32] = field(default_factory=_no_vectors)
    text_neighbours: sp.csr_array = field(default_factory=_no_neighbours)
    frozen_neighbours: sp.csr_array = field(default_factory=_no_neighbours)
    tfidf_neighbours: sp.csr_array = field(default_factory=_no_neighbours)
    embeddings: NDArray[np.float32] = field(default_factory=_no_vectors)
    texts: NDArray[np.object_] = field(default_factory=lambda: np.empty(0, dtype=object))
    attributes: pd.DataFrame = field(default_factory=pd.DataFrame)
    encoder: EncoderParameters = field(default_factory=EncoderParameters)

    def has(self, feature: str) -> bool:
        """Whether a feature was made."""
        return feature == "encoder" or getattr(self, feature).shape[0] > 0

    def to_arrays(self) -> Arrays:
        """Return the features as named arrays."""
        arrays: Arrays = {"vectors": self.vectors, "embeddings": self.embeddings}
        for name in GRAPHS:
            arrays |= pack_sparse(name, getattr(self, name))
        arrays |= pack_strings("texts", self.texts)
        arrays |= pack_strings("encoder", np.array([self.encoder.model_dump_json()], dtype=object))
        if not self.attributes.empty:
            arrays[PRICE] = self.attributes[PRICE].to_numpy(dtype=np.float64)
            for name in TEXT_ATTRIBUTES:
                arrays |= pack_strings(name, self.attributes[name].to_numpy(dtype=object))
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> ItemFeatures:
        """Read what ``to_arrays`` returned."""
        attributes = pd.DataFrame()
        if PRICE in arrays:
            texts = {name: unpack_strings(name, arrays) for name in TEXT_ATTRIBUTES}
            attributes = pd.DataFrame({**texts, PRICE: arrays[PRICE]})
        return cls(
            vectors=arrays["vectors"],
            embeddings=arrays["embeddings"],
            texts=unpack_strings("texts", arrays),
            attributes=attributes,
            encoder=EncoderParameters.model_validate_json(unpack_strings("encoder", arrays)[0]),
            **{name: unpack_sparse(name, arrays) for name in GRAPHS},
        )
