"""TF-IDF vectors of item texts, the reference for what a language model adds."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer


def tfidf_vectors(
    texts: pd.Series, reference: NDArray[np.bool_], dimensions: int, seed: int
) -> NDArray[np.float32]:
    """Return TF-IDF vectors of words and word pairs, reduced by a truncated SVD.

    Deerwester, Dumais, Furnas, Landauer, Harshman: Indexing by Latent Semantic Analysis, 1990.

    Args:
        texts: (n_items,) strings, "" for an item without a text.
        reference: (n_items,) items of the training period, which vocabulary, weights and axes are
            fitted on.
        dimensions: number of axes; fewer if there are fewer items or words.
        seed: seed of the randomised SVD (Halko, Martinsson, Tropp, 2011).

    Returns:
        (n_items, at most ``dimensions``) float32; zeros for an item without a known word, and one
        column of zeros where no reference item has a word.
    """
    vectorizer = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), min_df=1, dtype=np.float32)
    if not any(map(re.compile(vectorizer.token_pattern).search, texts[reference])):
        return np.zeros((len(texts), 1), dtype=np.float32)
    vectorizer.fit(texts[reference])
    words = vectorizer.transform(texts)
    if words.shape[1] == 1:
        single: NDArray[np.float32] = words.toarray().astype(np.float32)
        return single
    size = min(dimensions, int(reference.sum()), words.shape[1])
    with np.errstate(divide="ignore", invalid="ignore"):  # shares of no variance, which are unused
        svd = TruncatedSVD(size, random_state=seed).fit(words[np.flatnonzero(reference)])
    vectors: NDArray[np.float32] = svd.transform(words).astype(np.float32)
    return vectors
