import numpy as np
import pytest
import scipy.sparse as sp
from tests.recommenders.worlds import histories_of

from longtail.studies.matrix_factorisation import MatrixFactorisation


def test_biases_by_hand() -> None:
    """Mean 3 and a neutral user: b0 minimises (2 - b)^2 + b^2, so items are 1 off the mean."""
    histories = histories_of(np.array([[0, 0], [0, 1]]), 2, 3)
    model = MatrixFactorisation(factors=0, regularization=1.0)
    arrays = model.fit(histories, np.array([5, 1], np.float32))
    users, items = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 2])
    np.testing.assert_allclose(model.predict(arrays, users, items), [4, 2, 4, 3], atol=1e-6)


def test_one_step_by_hand() -> None:
    """Users regress on items: (q1 q2) = (1 0), (0 1), residuals 1 and -1, regularization 1."""
    model = MatrixFactorisation(factors=2, regularization=1.0)
    items = np.array([[1.0, 0, 0], [0, 1, 0]])
    found = model._solve(sp.csr_array(np.array([[1.0, -1.0]])), items)
    # Normal equations [[2 0 1] [0 2 1] [1 1 3]] x = (1, -1, 0).
    np.testing.assert_allclose(found, [[0.5, -0.5, 0]], atol=1e-12)


def test_taste_is_learned_from_stars() -> None:
    """Even users give even items 5 stars and odd ones 1, odd users the reverse."""
    pairs = np.argwhere(np.random.default_rng(0).random((30, 20)) < 0.7)
    histories = histories_of(pairs, 30, 20)
    alike = histories.users % 2 == histories.items % 2
    model = MatrixFactorisation(factors=2, regularization=0.5)
    arrays = model.fit(histories, np.where(alike, 5, 1).astype(np.float32))
    users, items = np.meshgrid(np.arange(30), np.arange(20), indexing="ij")
    found = model.predict(arrays, users.ravel(), items.ravel())
    expected = np.where(users % 2 == items % 2, 5, 1).ravel()
    assert np.abs(found - expected).mean() < 0.3


def test_unknown_stars_do_not_count_and_mean_stars_do() -> None:
    pairs = np.argwhere(np.random.default_rng(0).random((9, 7)) < 0.8)
    histories = histories_of(pairs, 9, 7)
    ratings = np.random.default_rng(1).integers(1, 6, len(pairs)).astype(np.float32)
    ratings[::4] = np.nan
    model = MatrixFactorisation(factors=3, sweeps=5)
    whole = model.fit(histories, ratings)
    rest = histories_of(pairs[np.isfinite(ratings)], 9, 7)
    only_known = model.fit(rest, ratings[np.isfinite(ratings)])
    for name in whole:
        np.testing.assert_allclose(whole[name], only_known[name])
    # A star equal to the mean is an entry of 0: it pulls its item's bias towards 0.
    histories = histories_of(np.array([[0, 0], [1, 0], [2, 1], [3, 0]]), 4, 2)
    biases = MatrixFactorisation(factors=0, regularization=1.0, sweeps=50)
    arrays = biases.fit(histories, np.array([5, 3, 1, 3], np.float32))
    # User 0: b_u = (2 - b_i) / 2, users 1 and 3: -b_i / 2; item: 4 b_i = 2 - sum of b_u.
    assert arrays["items"][0, 0] == pytest.approx(0.4)
