import hashlib

import ibis
import numpy as np
import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from longtail.behaviour.splits import (
    SPLITS,
    SplitSettings,
    assign_splits,
    check_evaluable,
    count_evaluation,
    fingerprint,
    fold_in_table,
    split_table,
)
from longtail.errors import UserError

EARLIEST = 631_152_000
START = 1_500_000_000
# Every example takes most of a second.
WITHOUT_SHRINKING = (Phase.explicit, Phase.reuse, Phase.generate)
SCHEMA = {"user_id": "string", "item_id": "string", "timestamp": "int64", "weight": "float64"}


def table(rows):
    frame = pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"])
    frame["timestamp"] = frame["timestamp"].astype("Int64")
    return ibis.memtable(frame.assign(weight=1.0), schema=SCHEMA)


def assign(rows, protocol="auto", seed=42, **changes):
    settings = SplitSettings(protocol, EARLIEST, seed, min_evaluated_users=0, **changes)
    return assign_splits(table(rows), settings)


def splits_of(assignment):
    frame = assignment.interactions.to_pandas()
    return dict(
        zip(zip(frame["user_id"], frame["item_id"], strict=True), frame["split"], strict=True)
    )


def test_temporal_cuts_at_the_interpolated_quantiles():
    times = [START, START + 1, START + 3, START + 10, START + 40, START + 41, START + 100]
    assignment = assign([("u", str(i), time) for i, time in enumerate(times)])
    t80, t90 = np.quantile(times, [0.8, 0.9])
    expected = ["test" if t >= t90 else "validation" if t >= t80 else "train" for t in times]
    assert list(splits_of(assignment).values()) == expected
    assert assignment.protocol == "temporal"
    assert assignment.cutoffs.validation_start == np.ceil(t80)
    assert assignment.cutoffs.test_start == np.ceil(t90)


@pytest.mark.parametrize(
    ("n", "n_train", "n_validation", "n_test"),
    [(1, 1, 0, 0), (2, 2, 0, 0), (3, 2, 0, 1), (4, 3, 0, 1), (5, 3, 1, 1), (8, 5, 1, 2),
     (12, 9, 1, 2), (13, 9, 1, 3), (15, 10, 2, 3), (25, 17, 3, 5)],
)  # fmt: skip
def test_per_user_shares(n, n_train, n_validation, n_test):
    assignment = assign([("u", f"{i:02}", i) for i in range(n)])
    assert (assignment.protocol, assignment.has_order, assignment.cutoffs) == (
        "per_user", True, None,
    )  # fmt: skip
    expected = ["train"] * n_train + ["validation"] * n_validation + ["test"] * n_test
    assert [split for _, split in sorted(splits_of(assignment).items())] == expected


def test_without_times_the_order_is_a_seeded_hash():
    items = [f"i{i}" for i in range(10)]
    assignment = assign([("u", item, None) for item in items], seed=7)
    by_hash = sorted(items, key=lambda item: hashlib.md5(f"u|{item}|7".encode()).hexdigest())
    assert not assignment.has_order
    assert {item for (_, item), s in splits_of(assignment).items() if s == "test"} == set(
        by_hash[-2:]
    )
    assert splits_of(assignment) != splits_of(assign([("u", i, None) for i in items], seed=8))


def test_interactions_without_time_are_never_in_the_test():
    rows = [("u", "a", None), ("u", "b", 1), ("u", "c", 2)]
    assert splits_of(assign(rows))["u", "c"] == "test"
    assert splits_of(assign(rows))["u", "a"] == "train"


def test_one_interaction_without_real_time_makes_auto_per_user():
    rows = [("u", str(i), START + i) for i in range(9)]
    assert assign(rows).protocol == "temporal"
    assert assign([*rows, ("u", "x", None)]).protocol == "per_user"
    assert assign(rows, protocol="per_user").protocol == "per_user"


def test_auto_is_temporal_only_with_enough_users_in_both_periods():
    rows = [(f"u{u}", f"i{i}", START + 100 * i + u) for u in range(4) for i in range(20)]
    enough = assign_splits(table(rows), SplitSettings("auto", EARLIEST, 1, min_evaluated_users=4))
    assert (enough.protocol, enough.reason[:7]) == ("temporal", "4 users")
    few = assign_splits(table(rows), SplitSettings("auto", EARLIEST, 1, min_evaluated_users=5))
    assert few.protocol == "per_user"
    assert few.cutoffs is None
    assert few.reason.startswith("Only 4 users")


def roles_of_items(frame, at_least=10):
    """Return the splits of each item that has some interactions."""
    items = frame.groupby("item_id")["split"].agg(["size", frozenset])
    return items.loc[items["size"] >= at_least].iloc[:, 1]


def test_item_cold_hides_whole_items_of_every_popularity():
    rows = [(f"u{u:03}", f"i{i:02}", START + u) for i in range(60) for u in range(2 * i + 1)]
    frame = assign(rows, "item_cold", hidden_share=0.25).interactions.to_pandas()
    assert len(frame) == len(rows)
    roles = roles_of_items(frame)
    for role in ("validation", "test"):
        hidden = roles.index[roles == {role}]
        # Two of the six items of each stratum; five items have too few interactions to be sure.
        assert 15 <= len(hidden) <= 20
        assert hidden[0] <= "i12"
        assert hidden[-1] >= "i54"
    other = assign(rows, "item_cold", seed=7, hidden_share=0.25).interactions.to_pandas()
    assert not roles.equals(roles_of_items(other))


def test_item_cold_splits_the_other_items_per_user():
    rows = [
        (f"u{u:02}", f"i{i:02}", START + (i + 7 * u) % 40) for u in range(30) for i in range(40)
    ]
    frame = assign(rows, "item_cold", hidden_share=0.25).interactions.to_pandas()
    roles = roles_of_items(frame)
    hidden = roles.index[roles.isin([frozenset({"test"}), frozenset({"validation"})])]
    warm = frame[~frame["item_id"].isin(hidden)]
    assert warm["item_id"].nunique() == 20
    for _, own in warm.sort_values("timestamp").groupby("user_id"):
        n = len(own)
        n_test, n_validation = max(1, int(0.2 * n + 0.5)), max(1, int(0.1 * n + 0.5))
        expected = ["train"] * (n - n_test - n_validation)
        expected += ["validation"] * n_validation + ["test"] * n_test
        assert own["split"].to_list() == expected


def cold_users():
    rows = [(f"u{u:02}", f"i{i:02}", START + i) for u in range(40) for i in range(14)]
    return [*rows, *(("short", f"i{i:02}", START + i) for i in range(5))]


def test_user_cold_keeps_hidden_users_out_of_training():
    frame = assign(cold_users(), "user_cold", hidden_share=0.25).interactions.to_pandas()
    items = frame.pivot_table("item_id", "user_id", "split", aggfunc=list)
    hidden = items[items["test"].notna()]
    assert len(hidden) == 10
    assert hidden[["train", "validation"]].isna().all(axis=None)
    assert all(" ".join(row) == "i10 i11 i12 i13" for row in hidden["test"])
    assert all(row == [f"i{i:02}" for i in range(10)] for row in hidden["fold_in"])
    others = items.drop(hidden.index)
    assert others[["test", "fold_in"]].isna().all(axis=None)
    assert others["train"].map(len).to_dict() == {
        user: 4 if user == "short" else 13 for user in others.index
    }
    assert set(others["validation"].map(" ".join)) == {"i13", "i04"}


def test_shorter_histories_of_hidden_users_are_prefixes_of_the_longest():
    assignment = assign(cold_users(), "user_cold", hidden_share=0.25, fold_in=(0, 2, 3))
    folded = fold_in_table(assignment.interactions, seed=42).to_pandas()
    assert list(folded) == ["user_id", "item_id", "timestamp", "weight", "position"]
    assert set(folded.groupby("user_id")["item_id"].agg(" ".join)) == {"i00 i01 i02"}
    assert set(folded.groupby("user_id")["position"].agg(list).map(tuple)) == {(1, 2, 3)}
    counts = count_evaluation(assignment, n_items=20)
    assert counts["evaluated_users"] == 10
    assert (counts["n_fold_in"], counts["n_test"]) == (30, 110)
    check_evaluable(counts)
    assert (
        fold_in_table(assign(cold_users(), "per_user").interactions, seed=42)
        .count()
        .to_pyarrow()
        .as_py()
        == 0
    )


@settings(max_examples=4, deadline=None, phases=WITHOUT_SHRINKING)
@given(seed=st.integers(0, 99), share=st.sampled_from([0.2, 0.25, 0.4]))
def test_hidden_items_and_users_are_never_in_training(seed, share):
    of_items = [(f"u{u:02}", f"i{i:02}", START + u) for i in range(40) for u in range(i + 1)]
    frame = assign(of_items, "item_cold", seed, hidden_share=share).interactions.to_pandas()
    assert len(frame) == len(of_items)
    roles = roles_of_items(frame)
    assert {frozenset({"test"}), frozenset({"validation"})} <= set(roles)
    assert all(len(role) == 1 or "train" in role for role in roles)
    users = cold_users()
    frame = assign(users, "user_cold", seed, hidden_share=share).interactions.to_pandas()
    assert len(frame) == len(users)
    is_hidden = frame["split"].isin(["test", "fold_in"])
    assert is_hidden.any()
    assert not set(frame.loc[is_hidden, "user_id"]) & set(frame.loc[~is_hidden, "user_id"])


LOGS = st.dictionaries(
    st.tuples(st.sampled_from("uvwxyz"), st.sampled_from("abcdefgh")),
    st.integers(START, START + 20),
    min_size=1,
    max_size=40,
)


@settings(max_examples=8, deadline=None, phases=WITHOUT_SHRINKING)
@given(log=LOGS, protocol=st.sampled_from(["temporal", "per_user"]), order=st.randoms())
def test_split_properties(log, protocol, order):
    rows = [(user, item, time) for (user, item), time in log.items()]
    assignment = assign(rows, protocol)
    split = splits_of(assignment)
    assert split.keys() == log.keys()
    if protocol == "temporal":
        bounds = [assignment.cutoffs.validation_start, assignment.cutoffs.test_start]
        for pair, time in log.items():
            assert split[pair] == SPLITS[np.searchsorted(bounds, time, side="right")]
    else:
        last_train = {u: max(t for (v, _), t in log.items() if v == u and split[v, _] == "train")
                      for u, _ in log}  # fmt: skip
        assert all(time >= last_train[u] for (u, i), time in log.items() if split[u, i] == "test")
    order.shuffle(rows)
    again = assign(rows, protocol)
    assert splits_of(again) == split
    tables = [[split_table(a.interactions, name) for name in SPLITS] for a in (assignment, again)]
    assert fingerprint(tables[0]) == fingerprint(tables[1])


def test_fingerprint_is_the_hash_of_the_sorted_rows():
    rows = [("v", "a", 3), ("u", "b", 2), ("u", "a", 2), ("u", "c", 1)]
    one = table(rows).order_by("user_id", "timestamp", "item_id")
    text = "u\tc\t1\t1000000\nu\ta\t2\t1000000\nu\tb\t2\t1000000\nv\ta\t3\t1000000\n\n"
    assert fingerprint([one]) == hashlib.sha256(text.encode()).hexdigest()
    assert fingerprint([one, one]) != fingerprint([one])


def test_ids_with_separators_do_not_collide():
    pairs = [("a\tb", "c"), ("a", "b\tc"), ("a\\tb", "c"), ("a\nb", "c"), ("a\\nb", "c")]
    tables = [
        ibis.memtable(
            pd.DataFrame({"user_id": [u], "item_id": [i], "timestamp": [1], "weight": [1.0]})
        )
        for u, i in pairs
    ]
    assert len({fingerprint([table]) for table in tables}) == len(pairs)


def test_evaluated_new_and_complete_users_are_counted():
    rows = [("all", item, START + i) for i, item in enumerate("abc")]
    rows += [("old", item, START + 3 + i) for i, item in enumerate("ab")]
    rows += [("mid", "a", START + 4), ("mid", "b", START + 100), ("mid", "c", START + 200)]
    rows += [("new", "a", START + 200)]
    counts = count_evaluation(assign(rows), n_items=3)
    assert counts["users"] == 4
    assert counts["evaluated_users"] == 1
    assert counts["test_positives"] == 1
    assert counts["new_users"] == 1
    assert counts["users_with_every_item"] == 1
    assert counts["n_train"] + counts["n_validation"] + counts["n_test"] == len(rows)
    check_evaluable(counts | {"validation_users": 1})


def test_the_error_without_evaluable_users_gives_the_numbers():
    counts = count_evaluation(assign([("u", "a", 1), ("v", "b", 2)]), n_items=2)
    with pytest.raises(
        UserError, match=r"No user can be evaluated on the test.*of 2 users.*2 train.*per_user"
    ):
        check_evaluable(counts)


def test_no_validation_users_is_an_error_too():
    counts = count_evaluation(assign([("u", item, i) for i, item in enumerate("abc")]), n_items=3)
    with pytest.raises(UserError, match="evaluated on the validation interactions"):
        check_evaluable(counts)
