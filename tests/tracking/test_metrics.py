from longtail.tracking.metrics import (
    compared_models,
    leaderboard_metrics,
    leaderboard_table,
    numbers,
)


def row(
    metric: str = "ndcg", k: int | None = 20, model: str = "hybrid", **groups: str
) -> dict[str, object]:
    groups = {"item_group": "all", "user_group": "all"} | groups
    return {"model": model, "metric": metric, "k": k, "value": 0.25, "ci_low": 0.1, **groups}


ROWS = [
    row(model="ease"),
    row(k=10),
    row(item_group="tail", user_group="quiet"),
    row(),
    row(item_group="tail"),
    row("recall", item_group="tail"),
    row("recall", item_group="cold"),
    row("mrr"),
    row("gini") | {"value": None},
    row(model="als"),
]


def test_headlines_of_hybrid_and_baseline_become_metrics() -> None:
    models = compared_models(ROWS, baseline="als")
    assert models == {"hybrid", "als"}
    assert leaderboard_metrics(ROWS, 20, models) == {
        "hybrid.ndcg_at_20": 0.25,
        "hybrid.ndcg_at_20.tail": 0.25,
        "hybrid.recall_at_20.tail": 0.25,
        "als.ndcg_at_20": 0.25,
    }


def test_all_models_count_where_none_is_the_hybrid() -> None:
    arms = [row(model="no_text"), row(model="language")]
    assert compared_models(arms, baseline="als") == {"no_text", "language"}


def test_every_value_of_a_leaderboard_is_in_the_table() -> None:
    table = leaderboard_table(ROWS, 20, {"hybrid", "als"})

    assert len(table) == len(ROWS) - 1
    assert [entry["model"] for entry in table] == ["hybrid"] * 7 + ["als", "ease"]
    assert table[0] == {
        "model": "hybrid",
        "metric": "ndcg",
        "k": 20,
        "item_group": "all",
        "user_group": "all",
        "value": 0.25,
    }
    assert table[6]["k"] == 10


def test_only_the_numbers_of_a_report_become_metrics() -> None:
    report = {"rows": {"in": 5, "out": 4}, "ordered": True, "protocol": "temporal"}
    assert numbers("report", report) == {"report.rows.in": 5.0, "report.rows.out": 4.0}
