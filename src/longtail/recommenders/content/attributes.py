"""Category, brand and price of items as vectors."""

from __future__ import annotations

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.decomposition import TruncatedSVD

from longtail.text.whitening import unit_length

SEPARATORS = r"[,;|>/]"
PRICE_BINS = 10


def attribute_vectors(
    attributes: pd.DataFrame, reference: NDArray[np.bool_], dimensions: int, seed: int
) -> NDArray[np.float32]:
    """Return the attributes of each item as one vector.

    Categories and brands are one-hot, without case and surrounding spaces, weighted by inverse
    document frequency; prices are binned by deciles, with half weight on the adjacent bins. The
    three parts have the same weight. A truncated SVD reduces the dimensions.

    Args:
        attributes: (n_items rows) categories, brand (text, "" where unknown) and price (number,
            NaN where unknown); no columns where nothing is known.
        reference: (n_items,) items of the training period, which vocabulary, weights and bins are
            taken from.
        dimensions: maximum number of dimensions.
        seed: seed of the SVD.

    Returns:
        (n_items, d) float32 of unit length; zeros for an item without a known attribute; d is 0
        where the catalogue has no attributes.
    """
    n_items = len(reference)
    if attributes.empty:
        return np.empty((n_items, 0), dtype=np.float32)
    parts = [
        _one_hot(attributes["categories"].str.split(SEPARATORS, regex=True), reference),
        _one_hot(attributes["brand"].map(lambda brand: [brand]), reference),
        _price_bins(attributes["price"].to_numpy(dtype=np.float64), reference),
    ]
    known = sp.csr_array(sp.hstack(parts))
    if known[np.flatnonzero(reference)].nnz == 0:
        return np.empty((n_items, 0), dtype=np.float32)
    if known.shape[1] <= dimensions:
        return unit_length(known.toarray())
    svd = TruncatedSVD(dimensions, random_state=seed).fit(known[np.flatnonzero(reference)])
    return unit_length(svd.transform(known).astype(np.float32))


def _one_hot(values: pd.Series, reference: NDArray[np.bool_]) -> sp.csr_array:
    """Return (n_items, n_values) weighted one-hot rows of unit length, from lists of strings."""
    pairs = values.reset_index(drop=True).explode().astype(str).str.strip().str.casefold()
    pairs = pairs[(pairs != "") & (pairs != "nan")]
    items = pairs.index.to_numpy()
    names = np.unique(pairs[reference[items]].to_numpy(dtype=str))
    place = pd.Index(names).get_indexer(pairs)
    items, place = items[place >= 0], place[place >= 0]
    shape = (len(reference), len(names))
    matrix = sp.csr_array((np.ones(len(items), np.float32), (items, place)), shape=shape)
    matrix.data[:] = 1
    frequency = matrix[np.flatnonzero(reference)].sum(axis=0)
    weighted = matrix * np.log1p(reference.sum() / np.maximum(frequency, 1)).astype(np.float32)
    norms = np.sqrt(np.asarray((weighted * weighted).sum(axis=1)))
    return sp.csr_array(weighted / np.where(norms > 0, norms, 1)[:, None])


def _price_bins(prices: NDArray[np.float64], reference: NDArray[np.bool_]) -> sp.csr_array:
    """Return (n_items, n_bins) rows of unit length, with half weight on adjacent bins."""
    known = np.isfinite(prices)
    fitted = prices[known & reference]
    if len(fitted) == 0:
        return sp.csr_array((len(prices), 0), dtype=np.float32)
    edges = np.unique(np.quantile(fitted, np.linspace(0, 1, PRICE_BINS + 1)[1:-1]))
    place = np.searchsorted(edges, prices, side="right")
    distance = np.abs(place[:, None] - np.arange(len(edges) + 1))
    near = np.where(known[:, None], np.maximum(0, 1 - distance / 2), 0)
    return sp.csr_array(unit_length(near.astype(np.float32)))
