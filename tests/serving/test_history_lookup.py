"""Histories of single users, looked up or given in a request."""

import numpy as np
import pytest
from tests.recommenders.worlds import tiny_data

from longtail.serving.histories import HistoryLookup


@pytest.fixture
def lookup() -> HistoryLookup:
    return HistoryLookup(tiny_data().histories)


def test_a_fitted_user_keeps_items_weights_and_times(lookup: HistoryLookup) -> None:
    history = lookup.of_user(lookup.user_index("u1"))
    assert history.item_ids[history.items].tolist() == ["b", "a"]
    assert history.timestamps.tolist() == [1, 2]
    assert lookup.item_ids_of("u1") == ["b", "a"]


def test_an_unknown_user_has_no_items(lookup: HistoryLookup) -> None:
    assert lookup.user_index("unknown") == -1
    assert lookup.item_ids_of("unknown") == []
    assert lookup.item_ids_of(None) == []


def test_of_given_items_unknown_ones_are_ignored_and_repeated_ones_count_once(
    lookup: HistoryLookup,
) -> None:
    history = lookup.of_items(["c", "a", "unknown", "c"])
    assert history.item_ids[history.items].tolist() == ["a", "c"]
    assert history.weights.tolist() == [1, 1]
    assert np.all(np.diff(history.timestamps) > 0)


def test_item_counts_are_those_of_all_users(lookup: HistoryLookup) -> None:
    counts = lookup.histories.item_counts()
    np.testing.assert_array_equal(lookup.of_items(["a"]).item_counts(), counts)
