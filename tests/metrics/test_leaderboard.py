import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hand_case import Case, lists

from longtail.metrics.leaderboard import Resampling, Row, compare_models, drop_small_groups
from longtail.metrics.scoring import per_item_table, per_user_table, score_model
from longtail.metrics.tables import ground_truth

KS = (2, 3)


@pytest.fixture
def results(case: Case) -> dict[str, Any]:
    scores = {
        "als": score_model(case.recommendations, case.truth, KS),
        "hybrid": score_model(lists("u1 c a d", "u2 b", "u3 a"), case.truth, KS),
        "twin": score_model(case.recommendations, case.truth, KS),
    }
    leaderboard, comparisons = compare_models(
        scores, case.truth, "als", Resampling(draws=400, seed=0, confidence=0.95)
    )
    return {
        "leaderboard": leaderboard,
        "comparisons": comparisons,
        "per_user": per_user_table(scores, case.truth),
        "per_item": per_item_table(scores),
    }


def _row(rows: list[Row], **key: str | int) -> Row:
    found = [row for row in rows if key.items() <= row.items()]
    assert len(found) == 1
    return found[0]


def _key(model: str, metric: str, k: int, items: str = "all", users: str = "all") -> dict[str, Any]:
    return {"model": model, "metric": metric, "k": k, "item_group": items, "user_group": users}


def test_trials_of_the_tuning_stand_in_the_leaderboard(case: Case) -> None:
    scores = {name: score_model(case.recommendations, case.truth, KS) for name in ("als", "hybrid")}
    resampling = Resampling(draws=10, seed=0, confidence=0.95)
    leaderboard, comparisons = compare_models(
        scores, case.truth, "als", resampling, {"als": 4, "ease": 2}
    )
    rows = [row for row in leaderboard if row["metric"] == "trials"]
    assert rows == [
        {
            "model": "als",
            "metric": "trials",
            "k": None,
            "item_group": "all",
            "user_group": "all",
            "value": 4.0,
            "ci_low": None,
            "ci_high": None,
            "n_users": 3,
        }
    ]
    assert "trials" not in {row["metric"] for row in comparisons}


def test_overall_is_over_users_with_history_and_counts_those_without_lists(
    results: dict[str, Any],
) -> None:
    row = _row(results["leaderboard"], **_key("als", "recall", 2))
    assert row["value"] == pytest.approx((1 / 3 + 0 + 0) / 3)
    assert row["n_users"] == 3


@pytest.mark.parametrize(
    ("items", "users", "value", "n_users"),
    [
        ("all", "new", 1 / 2, 1),
        ("all", "quiet", 0.0, 2),
        ("tail", "all", 1 / 2, 2),
        ("tail", "active", 1.0, 1),
        ("tail", "new", 1.0, 1),
        ("cold", "all", 1.0, 1),
        ("head", "quiet", 0.0, 1),
    ],
)
def test_groups_and_their_intersections(
    results: dict[str, Any], items: str, users: str, value: float, n_users: int
) -> None:
    row = _row(results["leaderboard"], **_key("als", "recall", 3, items, users))
    assert (row["value"], row["n_users"]) == (pytest.approx(value), n_users)


def test_rows_without_users_are_left_out(results: dict[str, Any]) -> None:
    key = _key("als", "recall", 3, "head", "new")
    assert not [row for row in results["leaderboard"] if key.items() <= row.items()]


def test_warm_candidates_only(results: dict[str, Any]) -> None:
    row = _row(results["leaderboard"], **_key("als", "recall_warm_only", 2))
    assert row["value"] == pytest.approx((1 / 2 + 0 + 0) / 3)


def test_intervals_hold_the_value_and_need_two_users(results: dict[str, Any]) -> None:
    for row in results["leaderboard"]:
        if row["ci_low"] is not None:
            assert row["ci_low"] - 1e-6 <= row["value"] <= row["ci_high"] + 1e-6
    assert _row(results["leaderboard"], **_key("als", "recall", 3, "cold"))["ci_low"] is None
    assert _row(results["leaderboard"], **_key("als", "gini", 3))["ci_low"] is None


def test_rows_are_plain_json(results: dict[str, Any]) -> None:
    for name in ("leaderboard", "comparisons"):
        assert json.loads(json.dumps(results[name], allow_nan=False)) == results[name]


def test_leaderboard_has_the_documented_fields(results: dict[str, Any]) -> None:
    assert set(results["leaderboard"][0]) == {
        "model", "metric", "k", "item_group", "user_group", "value", "ci_low", "ci_high", "n_users"
    }  # fmt: skip


def test_comparison_by_hand(results: dict[str, Any]) -> None:
    row = _row(results["comparisons"], baseline="als", **_key("hybrid", "recall", 3))
    # The hybrid finds everything, the baseline 2/3, 0 and 0.
    assert row["value"] == pytest.approx(1.0)
    assert row["baseline_value"] == pytest.approx(2 / 9)
    assert row["difference"] == pytest.approx(7 / 9)
    assert row["ratio"] == pytest.approx(9 / 2)
    differences = np.array([1 / 3, 1, 1])
    assert row["effect_size"] == pytest.approx(differences.mean() / differences.std(ddof=1))
    assert row["p_holm"] == pytest.approx(min(1.0, 2 * row["p_value"]))


def test_identical_models_do_not_differ(results: dict[str, Any]) -> None:
    row = _row(results["comparisons"], **_key("twin", "ndcg", 3))
    assert (row["difference"], row["ratio"], row["effect_size"]) == (0.0, 1.0, 0.0)
    assert (row["difference_ci_low"], row["difference_ci_high"]) == (0.0, 0.0)
    assert row["p_value"] == row["p_holm"] == 1.0


def test_ratio_to_zero_is_undefined(results: dict[str, Any]) -> None:
    row = _row(
        results["comparisons"], baseline="als", **_key("hybrid", "recall", 2, "tail", "quiet")
    )
    assert row["baseline_value"] == 0.0
    assert row["ratio"] is row["ratio_ci_low"] is row["ratio_ci_high"] is None


def test_without_the_baseline_there_are_no_comparisons(case: Case) -> None:
    scores = {"hybrid": score_model(case.recommendations, case.truth, KS)}
    resampling = Resampling(draws=100, seed=0, confidence=0.95)
    assert compare_models(scores, case.truth, "als", resampling)[1] == []
    assert compare_models(scores, case.truth, "hybrid", resampling)[1] == []


def test_the_leaderboard_is_the_mean_of_the_per_user_table(results: dict[str, Any]) -> None:
    table: pd.DataFrame = results["per_user"]
    for row in results["leaderboard"]:
        if row["metric"] not in table.columns:
            continue
        users = (
            table["user_group"] != "new"
            if row["user_group"] == "all"
            else table["user_group"] == row["user_group"]
        )
        chosen = table[
            users
            & (table["model"] == row["model"])
            & (table["k"] == row["k"])
            & (table["item_group"] == row["item_group"])
        ][row["metric"]].dropna()
        assert len(chosen) == row["n_users"]
        assert chosen.mean() == pytest.approx(row["value"])


def test_per_item_table_by_hand(results: dict[str, Any]) -> None:
    table = results["per_item"]
    rows = table[(table["model"] == "als") & (table["k"] == 3)]
    assert rows["item_id"].to_list() == list("abcde")
    # u1 d b c and u2 a c; the new user u4 does not count.
    assert rows["n_recommended"].to_list() == [1, 1, 2, 1, 0]
    assert rows["n_relevant"].to_list() == [2, 1, 1, 1, 0]
    assert rows["n_hits"].to_list() == [0, 0, 1, 1, 0]


def test_only_new_users(case: Case) -> None:
    tables = case.tables | {
        "test_interactions": case.tables["test_interactions"].query("user_id == 'u4'")
    }
    truth = ground_truth(**tables)
    scores = {"als": score_model(case.recommendations, truth, KS)}
    rows, _ = compare_models(scores, truth, "als", Resampling(100, 0, 0.95))
    assert {row["user_group"] for row in rows} == {"new"}


def test_values_of_small_groups_can_be_left_out(results: dict[str, Any]) -> None:
    rows = results["leaderboard"] + results["comparisons"]
    assert {row["user_group"] for row in rows if row["n_users"] == 1} >= {"new"}
    shown = drop_small_groups(rows, 2)
    assert shown == [row for row in rows if row["user_group"] != "new" and row["n_users"] > 1]


def test_the_hybrid_is_compared_with_every_model_once(results: dict[str, Any]) -> None:
    pairs = {(row["model"], row["baseline"]) for row in results["comparisons"]}
    assert pairs == {("hybrid", "als"), ("twin", "als"), ("hybrid", "twin")}
    keys = [
        tuple(
            row[name] for name in ("model", "baseline", "metric", "k", "item_group", "user_group")
        )
        for row in results["comparisons"]
    ]
    assert len(keys) == len(set(keys))


def test_p_values_are_adjusted_within_each_family(results: dict[str, Any]) -> None:
    key = _key("hybrid", "recall", 3)
    with_twin = _row(results["comparisons"], baseline="twin", **key)
    with_als = _row(results["comparisons"], baseline="als", **key)
    # One comparison of the hybrid beside the baseline's; two with the baseline. The twin is als.
    assert with_twin["p_holm"] == with_twin["p_value"] == with_als["p_value"]
    assert with_als["p_holm"] == min(1.0, 2 * float(with_als["p_value"] or 0))
