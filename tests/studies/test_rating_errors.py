import numpy as np
import pytest
from tests.recommenders.worlds import histories_of

from longtail.recommenders.language_model_ranker.biases import bias_ratings
from longtail.studies.rating_errors import rating_errors


def test_biases_by_hand() -> None:
    """Mean 3; item 0 is 2 above it for 25 users, item 1 as much below; users explain nothing."""
    pairs = np.array([[user, item] for user in range(25) for item in (0, 1)])
    histories = histories_of(pairs, 26, 3)
    ratings = np.where(histories.items == 0, 5, 1).astype(np.float32)
    found = bias_ratings(histories, ratings, np.array([0, 25, 25]), np.array([0, 1, 2]))
    np.testing.assert_allclose(found, [4, 2, 3])


def test_a_generous_user_is_expected_to_be_generous() -> None:
    pairs = np.array([[user, item] for user in range(2) for item in range(10)])
    histories = histories_of(pairs, 2, 10)
    ratings = np.where(histories.users == 0, 5, 1).astype(np.float32)
    ratings[3] = np.nan
    found = bias_ratings(histories, ratings, np.array([0, 1]), np.array([3, 3]))
    assert found[0] > 3.5
    assert found[1] < 2.5


def test_errors_by_group() -> None:
    actual = np.array([5, 3, 1.0])
    table = rating_errors(
        {"model": np.array([4, 3, 3.0])},
        actual,
        {"tail": np.array([False, True, True]), "cold": np.zeros(3, bool)},
    ).set_index("group")
    assert list(table.index) == ["all", "tail"]
    assert table.loc["all", "rmse"] == pytest.approx((5 / 3) ** 0.5)
    assert table.loc["all", "mae"] == pytest.approx(1)
    assert table.loc["tail", "rmse"] == pytest.approx(2**0.5)
    assert table.loc["tail", "n_ratings"] == 2
