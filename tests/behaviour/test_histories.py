import ibis
import numpy as np
import pandas as pd
import pytest

from longtail.behaviour.histories import build_histories
from longtail.behaviour.protocols import rank_per_user

USERS = np.array(["u1", "u2", "u3"], dtype=object)
ITEMS = np.array(["a", "b", "c"], dtype=object)


def interactions(rows: list[tuple[str, str, float | None, float]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp", "weight"])


@pytest.fixture
def table() -> pd.DataFrame:
    return interactions(
        [("u2", "a", 2e9, 1.0), ("u1", "c", 1.2e9, 2.0), ("u1", "b", 1.1e9, 1.0)],
    )


def test_rows_are_ordered_by_user_and_time(table: pd.DataFrame) -> None:
    histories = build_histories(table, USERS, ITEMS)
    assert histories.users.tolist() == [0, 0, 1]
    assert histories.items.tolist() == [1, 2, 0]
    assert histories.matrix().toarray().tolist() == [[0, 1, 2], [1, 0, 0], [0, 0, 0]]
    assert histories.item_counts().tolist() == [1, 1, 1]
    assert histories.history_lengths().tolist() == [2, 1, 0]


def test_order_of_input_rows_does_not_matter(table: pd.DataFrame) -> None:
    reversed_rows = build_histories(table.iloc[::-1], USERS, ITEMS)
    assert np.array_equal(reversed_rows.items, build_histories(table, USERS, ITEMS).items)


def test_recency_weights_decay_from_the_latest(table: pd.DataFrame) -> None:
    histories = build_histories(table, USERS, ITEMS)
    assert histories.recency_weights(0.5) == pytest.approx([0.5, 1.0, 1.0])


def test_without_times_all_recency_weights_are_one() -> None:
    rows = interactions([("u1", "a", None, 1.0), ("u1", "b", None, 1.0)])
    histories = build_histories(rows, USERS, ITEMS)
    assert histories.recency_weights(0.5).tolist() == [1, 1]
    assert histories.recent_counts(0.1).tolist() == [0, 0, 0]


def test_recent_counts_need_times_that_users_share(table: pd.DataFrame) -> None:
    histories = build_histories(table, USERS, ITEMS)
    assert histories.recent_counts(0.1).tolist() == [1, 0, 0]
    positions = table.assign(timestamp=[1, 2, 3])
    assert build_histories(positions, USERS, ITEMS).recent_counts(0.1).tolist() == [0, 0, 0]


def test_recent_counts_use_a_share_of_the_interactions_not_of_the_time_span() -> None:
    """The last tenth of the time span has nine of ten interactions, too many to be recent."""
    days = [0, 91, 92, 93, 94, 95, 96, 97, 98, 99]
    rows = [("u1", ITEMS[n % 3], 1e9 + day * 86_400, 1.0) for n, day in enumerate(days)]
    histories = build_histories(interactions(rows), USERS, ITEMS)
    assert histories.recent_counts(0.3).sum() == 3
    assert histories.recent_counts(0.1).sum() == 1


def test_ids_outside_the_index_are_rejected(table: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="not in the index"):
        build_histories(table, USERS[:1], ITEMS)


def test_profiles_are_rows_of_the_weighted_matrix(table: pd.DataFrame) -> None:
    histories = build_histories(table, USERS, ITEMS)
    assert histories.profiles(np.array([1, 0, 2])).toarray().tolist() == [
        [1, 0, 0],
        [0, 1, 2],
        [0, 0, 0],
    ]
    assert histories.profiles(np.array([0]), 0.5).toarray().tolist() == [[0, 0.5, 2]]
    unordered = build_histories(table.assign(timestamp=None), USERS, ITEMS)
    assert unordered.profiles(np.array([0]), 0.5).toarray().tolist() == [[0, 1, 2]]


@pytest.mark.parametrize("time", [1.2e9, None])
def test_ties_are_broken_as_in_the_split(time: float | None) -> None:
    users = np.array([f"u{n}" for n in range(5)], dtype=object)
    items = np.array([f"i{n:02}" for n in range(12)], dtype=object)
    # The first item of everyone is earlier than the others, which share one time.
    rows = [
        (user, item, time if time is None or item != "i05" else time - 1, 1.0)
        for user in users
        for item in items
    ]
    table = interactions(rows)
    frame = table.astype({"timestamp": "Int64"})
    ranked = rank_per_user(ibis.memtable(frame), seed=7).to_pandas()
    expected = ranked.sort_values(["user_id", "position"])["item_id"]

    histories = build_histories(table, users, items, seed=7)

    assert items[histories.items].tolist() == expected.tolist()
    assert items[build_histories(table, users, items, seed=8).items].tolist() != expected.tolist()
    assert not np.array_equal(histories.items[:12], np.sort(histories.items[:12]))


def test_given_positions_break_ties() -> None:
    rows = interactions([("u1", "a", 1e9, 1.0), ("u1", "b", 1e9, 1.0), ("u1", "c", 1e9, 1.0)])
    for positions in ([1, 2, 3], [2, 3, 1]):
        histories = build_histories(rows.assign(position=positions), USERS, ITEMS)
        assert histories.items.tolist() == np.argsort(positions).tolist()
