import numpy as np
import pandas as pd
import pytest
from tests.recommenders.worlds import histories_of

from longtail.recommenders.language_model_ranker.biases import (
    bias_ratings,
    left_out_bias_ratings,
)
from longtail.studies.rating_errors import (
    held_out_from,
    last_stars,
    rating_errors,
    ratings_of,
)


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


def test_targets_of_the_biases_leave_out_the_rating_itself() -> None:
    generator = np.random.default_rng(0)
    pairs = np.argwhere(generator.random((12, 9)) < 0.5)
    histories = histories_of(pairs, 12, 9)
    ratings = generator.integers(1, 6, len(pairs)).astype(np.float32)
    ratings[5] = np.nan
    found = left_out_bias_ratings(histories, ratings)
    for row, (user, item) in enumerate(zip(histories.users, histories.items, strict=True)):
        others = ratings.copy()
        others[row] = np.nan
        (expected,) = bias_ratings(histories, others, np.array([user]), np.array([item]))
        assert found[row] == pytest.approx(expected) or (row == 5 and np.isnan(found[row]))


def test_a_single_rating_leaves_no_residual() -> None:
    histories = histories_of(np.array([[0, 0], [0, 1]]), 1, 2)
    found = left_out_bias_ratings(histories, np.array([4, np.nan], np.float32))
    np.testing.assert_array_equal(found, [4, np.nan])


def rated(*rows: tuple[str, str, float, float | None]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["user_id", "item_id", "rating", "timestamp"])
    return table.astype({"timestamp": "Int64"})


@pytest.mark.parametrize("common_start", [1_000_000_010, None])
def test_the_stars_of_the_past_are_not_from_the_test(common_start: int | None) -> None:
    """u0 rates i0 three times, the last time in the test, and i1 never before it."""
    start = 1_000_000_000
    histories = histories_of(np.array([[0, 0], [0, 1], [1, 0]]), 2, 2)
    log = rated(
        ("u000", "i000", 2, start + 20),
        ("u000", "i000", 3, start),
        ("u000", "i000", 4, start + 5),
        ("u000", "i001", 5, start + 30),
        ("u001", "i000", 1, start + 2),
        ("u002", "i000", 1, start),
    )
    test = rated(("u000", "i009", 5, start + 10))
    ends = held_out_from(histories, test, common_start)
    np.testing.assert_array_equal(ratings_of(histories, log, ends), [4, np.nan, 1])


def test_the_star_of_the_interaction_itself_always_counts() -> None:
    histories = histories_of(np.array([[0, 0]]), 1, 1)
    log = rated(("u000", "i000", 4, 1_000_000_000), ("u000", "i000", 5, 1_000_000_001))
    ends = np.array([1_000_000_000.0])
    np.testing.assert_array_equal(ratings_of(histories, log, ends), [4])


def test_stars_of_unknown_time_count() -> None:
    histories = histories_of(np.array([[0, 0]]), 1, 1)
    found = ratings_of(histories, rated(("u000", "i000", 4, None)), np.array([0.0]))
    np.testing.assert_array_equal(found, [4])


def test_stars_of_unknown_time_are_not_the_last() -> None:
    log = rated(("u", "i", 4, 2), ("u", "i", 5, 1), ("u", "i", 1, None), ("u", "j", np.nan, 3))
    assert last_stars(log)[["item_id", "rating"]].to_numpy().tolist() == [["i", 4]]
