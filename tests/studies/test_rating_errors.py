import numpy as np
import pandas as pd
import pytest
from tests.recommenders.worlds import histories_of

from longtail.recommenders.language_model_ranker.biases import (
    bias_ratings,
    left_out_bias_ratings,
)
from longtail.studies.rating_errors import held_out_from, rating_errors, split_stars


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
    known = rated(("u0", "i0", 3, start), ("u0", "i1", 5, start), ("u1", "i0", 1, start + 2))
    log = rated(
        ("u0", "i0", 2, start + 20),
        ("u0", "i0", 3, start),
        ("u0", "i0", 4, start + 5),
        ("u0", "i1", 5, start + 30),
        ("u1", "i0", 1, start + 2),
        ("u2", "i0", 1, start),
    )
    test = rated(("u0", "i9", 5, start + 10))
    ends = held_out_from(np.array(["u0", "u1"], dtype=object), test, common_start)
    past, later = split_stars(log, known, test, ends)
    assert stars(past) == {("u0", "i0"): 4, ("u1", "i0"): 1}
    # What was rated before is no later star.
    assert stars(later) == {("u0", "i1"): 5}


def test_low_stars_count_on_both_sides() -> None:
    """No interaction names them: only what a user liked is one."""
    log = rated(("u", "liked", 5, 1), ("u", "low", 1, 2), ("u", "later", 2, 20))
    past, later = split_stars(log, log[:1], rated(("u", "x", 5, 10)), pd.Series({"u": 10.0}))
    assert stars(past) == {("u", "liked"): 5, ("u", "low"): 1}
    assert stars(later) == {("u", "later"): 2}


def test_the_star_of_the_interaction_itself_always_counts() -> None:
    log = rated(("u", "i", 4, 1_000_000_000), ("u", "i", 5, 1_000_000_001))
    past, later = split_stars(log, log[:1], log[:0], pd.Series({"u": 1_000_000_000.0}))
    assert stars(past) == {("u", "i"): 4}
    assert later.empty


def test_stars_of_unknown_time_count_unless_held_out() -> None:
    log = rated(("u", "i", 4, None), ("u", "j", 2, None))
    past, later = split_stars(log, log[:0], log[1:], pd.Series({"u": np.inf}))
    assert stars(past) == {("u", "i"): 4}
    assert stars(later) == {("u", "j"): 2}


def test_stars_of_unknown_time_are_not_the_last() -> None:
    log = rated(("u", "i", 4, 2), ("u", "i", 5, 1), ("u", "i", 1, None), ("u", "j", np.nan, 3))
    past, _ = split_stars(log, log[:0], log[:0], pd.Series({"u": 10.0}))
    assert stars(past) == {("u", "i"): 4}


def stars(table: pd.DataFrame) -> dict[tuple[str, str], float]:
    return {(row.user_id, row.item_id): row.rating for row in table.itertuples()}
