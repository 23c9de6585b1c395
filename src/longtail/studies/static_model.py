"""A static text encoder distilled from the language vectors: one vector for each word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import Ridge

from longtail.recommenders.base import TrainingData
from longtail.text.whitening import unit_length

RIDGE = 1.0


@dataclass(frozen=True)
class StaticModel:
    """Encodes a text as the TF-IDF-weighted sum of its word vectors.

    As in Tulkens, van Dongen: Model2Vec, 2024, but fitted to the language vectors of the items,
    adapted or not. The package model2vec is not used: its distillation needs older releases of
    transformers and tokenizers than this project.

    Attributes:
        vectorizer: fitted on the texts of the training period.
        words: (n_words, d) float32 word vectors.
    """

    vectorizer: TfidfVectorizer
    words: NDArray[np.float32]

    @classmethod
    def distil(cls, data: TrainingData) -> StaticModel:
        """Fit the word vectors to the items of the training period, by ridge regression."""
        known = (data.items.texts != "") & (data.histories.item_counts() > 0)
        texts = data.items.texts[known]
        vectorizer = TfidfVectorizer(sublinear_tf=True, min_df=2, dtype=np.float32)
        try:
            vectorizer.fit(texts)
        except ValueError:  # no word occurs in two texts
            vectorizer = TfidfVectorizer(sublinear_tf=True, dtype=np.float32).fit(texts)
        ridge = Ridge(RIDGE, fit_intercept=False, solver="sparse_cg", tol=1e-6)
        ridge.fit(sp.csr_array(vectorizer.transform(texts)), data.items.vectors[known])
        return cls(vectorizer, np.ascontiguousarray(ridge.coef_.T))

    def encode(self, texts: Sequence[str] | NDArray[np.object_]) -> NDArray[np.float32]:
        """Return (len(texts), d) float32 vectors of unit length; zeros without a known word."""
        return unit_length(sp.csr_array(self.vectorizer.transform(texts)) @ self.words)
