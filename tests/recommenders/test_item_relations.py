"""Partial correlations of items, by hand and by numpy."""

import numpy as np
import pytest
import scipy.sparse as sp

from longtail.recommenders.item_relations import partial_correlations

# Items 0 and 1 go together, 1 and 2 as well; 0 and 2 meet only beside 1. Nobody has item 3.
BEHAVIOUR = sp.csr_array(
    np.array(
        [[1, 1, 0, 0], [1, 1, 0, 0], [0, 1, 1, 0], [0, 1, 1, 0], [1, 1, 1, 0], [1, 0, 0, 0]],
        dtype=np.float32,
    )
)


def by_numpy(behaviour: sp.csr_array, ridge: float) -> np.ndarray:
    """Return the positive partial correlations of all items, densely."""
    dense = behaviour.toarray().astype(float)
    inverse = np.linalg.inv(dense.T @ dense + ridge * np.eye(dense.shape[1]))
    scale = np.sqrt(np.diag(inverse))
    correlations = np.maximum(-inverse / scale[:, None] / scale, 0)
    np.fill_diagonal(correlations, 0)
    return correlations


def test_partial_correlations_leave_out_what_other_items_explain() -> None:
    # X'X + I is [[5, 3, 1], [3, 6, 3], [1, 3, 4]]: its inverse has the cofactors 15, -9, 3 in the
    # first row and 19 and -12 in the second, 21 in the third.
    related = partial_correlations(BEHAVIOUR, ridge=1.0, neighbours=3).toarray()
    assert related[0, 1] == pytest.approx(9 / np.sqrt(15 * 19))
    assert related[1, 2] == pytest.approx(12 / np.sqrt(19 * 21))
    # Together once, but no more than item 1 explains: the cofactor is positive.
    assert related[0, 2] == 0
    assert related == pytest.approx(related.T)


def test_items_without_interactions_are_related_to_none() -> None:
    related = partial_correlations(BEHAVIOUR, ridge=1.0, neighbours=3)
    assert related.shape == (4, 4)
    assert related.toarray()[3].sum() == related.toarray()[:, 3].sum() == 0


def test_the_strongest_relations_of_a_row_are_kept() -> None:
    related = partial_correlations(BEHAVIOUR, ridge=1.0, neighbours=1).toarray()
    assert ((related > 0).sum(axis=1) <= 1).all()
    assert related[1].argmax() == 2


def test_all_relations_are_those_of_the_inverse() -> None:
    generator = np.random.default_rng(0)
    behaviour = sp.csr_array((generator.random((60, 8)) < 0.4).astype(np.float32))
    related = partial_correlations(behaviour, 2.0, 8)
    assert related.toarray() == pytest.approx(by_numpy(behaviour, 2.0), abs=1e-4)


def test_many_items_are_as_related_as_they_occur_together() -> None:
    related = partial_correlations(BEHAVIOUR, 1.0, 3, exact_up_to=2).toarray()
    assert related[0, 1] == pytest.approx(3 / np.sqrt(5 * 6))
    assert related[0, 2] == pytest.approx(1 / np.sqrt(5 * 4))
    assert related[3].sum() == 0


def test_the_approximation_comes_close_where_the_ridge_is_high() -> None:
    generator = np.random.default_rng(1)
    behaviour = sp.csr_array((generator.random((60, 8)) < 0.2).astype(np.float32))
    exact, approximate = (
        partial_correlations(behaviour, 1000.0, 8, exact_up_to).toarray() for exact_up_to in (8, 0)
    )
    assert approximate == pytest.approx(exact, rel=0.1)


def test_no_behaviour_gives_no_relations() -> None:
    related = partial_correlations(sp.csr_array((2, 3), dtype=np.float32), 1.0, 2)
    assert related.shape == (3, 3)
    assert related.nnz == 0
