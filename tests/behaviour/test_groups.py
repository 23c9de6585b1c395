import numpy as np
import pandas as pd

from longtail.behaviour.groups import item_groups, popularity_groups, user_groups


def test_a_fifth_of_the_warm_items_is_head_with_ties_by_id():
    ids = pd.Series([f"i{i:02}" for i in range(12)])
    counts = pd.Series({"i07": 5, "i03": 5, "i04": 5, **{f"i{i:02}": 1 for i in (0, 1, 2, 5, 6)}})
    counts = pd.concat([counts, pd.Series({"i08": 2, "i09": 2})])
    table = item_groups(ids, counts)
    assert table["item_id"].tolist() == ids.tolist()
    assert table["interaction_count"].dtype == "int64"
    assert table.loc[table["item_group"] == "head", "item_id"].tolist() == ["i03", "i04"]
    assert table.loc[table["item_group"] == "cold", "item_id"].tolist() == ["i10", "i11"]


def test_there_is_always_a_head():
    table = item_groups(pd.Series(["a", "b"]), pd.Series({"b": 1}))
    assert table["item_group"].tolist() == ["cold", "head"]


def test_active_users_have_the_longest_histories():
    ids = pd.Series(["a", "b", "c", "d", "e", "f"])
    table = user_groups(ids, pd.Series({"a": 3, "b": 9, "c": 9, "d": 1, "e": 1}))
    assert table["user_group"].tolist() == ["quiet", "active", "quiet", "quiet", "quiet", "new"]
    assert table["history_length"].tolist() == [3, 9, 9, 1, 1, 0]


def test_few_users_are_all_quiet():
    assert user_groups(pd.Series(["a"]), pd.Series({"a": 2}))["user_group"].tolist() == ["quiet"]


def test_groups_by_count() -> None:
    groups = popularity_groups(np.array([5, 0, 9, 1, 2, 3]))
    assert np.flatnonzero(groups["head"]).tolist() == [2]
    assert np.flatnonzero(groups["cold"]).tolist() == [1]
    assert np.flatnonzero(groups["tail"]).tolist() == [0, 3, 4, 5]
