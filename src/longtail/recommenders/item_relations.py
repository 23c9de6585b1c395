"""How strongly items are related in behaviour, apart from what other items explain."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from longtail.item_graphs.graphs import cooccurrence_graph, strongest_by_row
from longtail.recommenders.linear_autoencoder import EXACT_UP_TO, dense_inverse


def partial_correlations(
    behaviour: sp.csr_array, ridge: float, neighbours: int, exact_up_to: int = EXACT_UP_TO
) -> sp.csr_array:
    """Return the largest positive partial correlations between items.

    With P = (X'X + ridge I)^-1 they are -P_ij / sqrt(P_ii P_jj): what EASE predicts item j from,
    without its preference for popular items (Steck: Embarrassingly Shallow Autoencoders for Sparse
    Data, WWW 2019). Above ``exact_up_to`` items with interactions they are what is left of them at
    a high ridge: c_ij / sqrt((c_ii + ridge) (c_jj + ridge)) with the co-occurrences c.

    Args:
        behaviour: X, (n_users, n_items) float32 with ones.
        ridge: penalty, on the scale of item counts; the higher, the weaker are rare items.
        neighbours: entries kept in a row.
        exact_up_to: items up to which P is dense and exact: memory grows with the square of their
            number, time with its cube.

    Returns:
        (n_items, n_items) float32 with an empty diagonal.
    """
    warm = np.flatnonzero(np.bincount(behaviour.indices, minlength=behaviour.shape[1]))
    known = sp.csr_array(behaviour[:, warm])
    if len(warm) == 0:
        related = sp.csr_array((0, 0), dtype=np.float32)
    elif len(warm) <= exact_up_to:
        inverse = dense_inverse(known, ridge)
        scale = (1 / np.sqrt(inverse.diagonal())).astype(np.float32)
        related = strongest_by_row(
            lambda items: inverse[items] * -scale[items, None] * scale, len(warm), neighbours
        )
    else:
        related = cooccurrence_graph(known, ridge, neighbours)
    entries = sp.coo_array(related)
    places = warm[entries.row], warm[entries.col]
    return sp.csr_array((entries.data, places), shape=(behaviour.shape[1],) * 2)
