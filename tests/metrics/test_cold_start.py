import pytest

from longtail.metrics.cold_start import candidate_pools, folding_in_rows


def row(model: str, metric: str, item_group: str, value: float, user_group: str = "all") -> dict:
    return {
        "model": model,
        "metric": metric,
        "k": 20,
        "item_group": item_group,
        "user_group": user_group,
        "value": value,
        "ci_low": value - 0.1,
        "ci_high": value + 0.1,
        "n_users": 7,
    }


def test_pools_by_hand() -> None:
    leaderboard = [
        row("als", "ndcg", "all", 0.2),
        row("als", "ndcg", "cold", 0.9),
        row("als", "ndcg", "all", 0.9, user_group="quiet"),
        row("als", "ndcg_warm_only", "all", 0.3),
        row("als", "ndcg_warm_only", "head", 0.9),
        row("als", "gini", "all", 0.9),
    ]
    cold = [row("als", "ndcg", "cold", 0.6), row("als", "ndcg", "all", 0.9)]

    rows = candidate_pools(leaderboard, cold)

    assert {row["candidates"]: row["value"] for row in rows} == {
        "cold": 0.6,
        "warm": 0.3,
        "mixed": 0.2,
        "harmonic": pytest.approx(2 * 0.6 * 0.3 / 0.9),
    }
    assert {row["metric"] for row in rows} == {"ndcg"}
    assert rows[0] == {
        "model": "als",
        "candidates": "cold",
        "metric": "ndcg",
        "k": 20,
        "value": 0.6,
        "ci_low": 0.5,
        "ci_high": 0.7,
        "n_users": 7,
    }


def test_a_model_without_new_items_has_a_harmonic_mean_of_zero() -> None:
    rows = candidate_pools(
        [row("als", "ndcg_warm_only", "all", 0.3)], [row("als", "ndcg", "cold", 0.0)]
    )
    assert rows[-1]["value"] == 0


def test_rows_of_folded_in_users_are_those_of_new_users() -> None:
    leaderboard = [
        row("als", "ndcg", "all", 0.2, user_group="new"),
        row("als", "ndcg", "all", 0.3),
        row("als", "gini", "all", 0.9, user_group="new"),
    ]
    (only,) = folding_in_rows(leaderboard, 3)
    assert (only["model"], only["n_folded_in"], only["value"]) == ("als", 3, 0.2)
    assert "user_group" not in only
