import numpy as np
import pandas as pd
import pytest
import torch

from longtail.behaviour.histories import Histories, build_histories
from longtail.recommenders.neural.context import ItemContext, comparable_times
from longtail.recommenders.neural.sequences import Sequences

DAY = 86_400
START = 1_600_000_000
USERS = np.array(["u0", "u1", "u2"], dtype=object)
ITEMS = np.array(list("abcd"), dtype=object)


def histories(*rows: tuple[str, str, float]) -> Histories:
    table = pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"]).assign(weight=1.0)
    return build_histories(table, USERS, ITEMS)


@pytest.fixture
def ten_days() -> Histories:
    """a on days 0, 2 and 10, b on day 9, c on day 10."""
    rows = [("u0", "a", 0), ("u1", "a", 2), ("u2", "a", 10), ("u0", "b", 9), ("u1", "c", 10)]
    return histories(*((user, item, START + day * DAY) for user, item, day in rows))


def test_counts_before_a_moment(ten_days: Histories) -> None:
    context = ItemContext.of(ten_days, recent_share=0.8)
    items = np.array([[0, 1], [0, 0]])
    times = START + DAY * np.array([[10, 10], [2, 0]], dtype=float)
    features = context.at(items, times, np.zeros(items.shape, bool))
    np.testing.assert_allclose(np.expm1(features[..., 0]), [[2, 1], [1, 0]], atol=1e-6)
    np.testing.assert_allclose(np.expm1(features[..., 1]), [[1, 1], [1, 0]], atol=1e-6)
    np.testing.assert_array_equal(features[..., 2], [[0, 0], [0, 1]])


def test_counts_now(ten_days: Histories) -> None:
    """The last half of the five interactions begins on day 9."""
    features = ItemContext.of(ten_days, recent_share=0.5).now()
    np.testing.assert_allclose(np.expm1(features[:, 0]), [3, 1, 1, 0], atol=1e-6)
    np.testing.assert_allclose(np.expm1(features[:, 1]), [1, 1, 1, 0], atol=1e-6)
    np.testing.assert_array_equal(features[:, 2], [0, 0, 0, 1])


def test_times_that_cannot_be_compared_count_all_but_the_interaction_itself() -> None:
    ordinal = histories(("u0", "a", 1), ("u1", "a", 1), ("u1", "b", 2))
    context = ItemContext.of(ordinal, recent_share=0.5)
    times = comparable_times(ordinal)
    features = context.at(np.array([0, 0, 1]), times, np.array([True, False, True]))
    np.testing.assert_allclose(np.expm1(features[:, 0]), [1, 2, 0], atol=1e-6)
    np.testing.assert_array_equal(features[:, 1], 0)
    np.testing.assert_allclose(np.expm1(context.now()[:, 0]), [2, 1, 0, 0], atol=1e-6)


def test_an_unknown_time_is_the_earliest() -> None:
    partly = histories(("u0", "a", START + DAY), ("u1", "b", np.nan), ("u2", "c", START))
    assert sorted(comparable_times(partly) - START) == [0, 0, DAY]


def test_sequences_end_before_a_row_and_begin_with_the_user() -> None:
    sequences = Sequences.of(
        histories(("u0", "a", 1), ("u0", "b", 2), ("u0", "c", 3), ("u2", "d", 1), ("u2", "a", 2))
    )
    users, ends = torch.tensor([0, 0, 2, 2]), torch.tensor([3, 1, 4, 3])
    rows, present = sequences.before(users, ends, 2)
    items = np.where(present, ITEMS[sequences.items[rows]], "")
    np.testing.assert_array_equal(items, [["b", "c"], ["", "a"], ["", "d"], ["", ""]])


def test_latest_sequences_of_users_with_and_without_a_history() -> None:
    sequences = Sequences.of(histories(("u0", "a", 1), ("u0", "b", 2), ("u2", "d", 1)))
    rows, present = sequences.latest(np.array([0, 1, 2]), 5)
    items = np.where(present, ITEMS[sequences.items[rows]], "")
    np.testing.assert_array_equal(items, [["a", "b"], ["", ""], ["", "d"]])
