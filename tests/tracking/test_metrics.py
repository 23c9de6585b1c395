from longtail.tracking.metrics import leaderboard_metrics, numbers


def row(metric: str = "ndcg", k: int | None = 20, **groups: str) -> dict[str, object]:
    groups = {"item_group": "all", "user_group": "all"} | groups
    return {"model": "hybrid", "metric": metric, "k": k, "value": 0.25, **groups}


def test_headlines_of_a_leaderboard_become_metrics() -> None:
    rows = [
        row(),
        row(k=10),
        row(k=10, item_group="tail"),
        row("recall", item_group="tail", user_group="quiet"),
        row("coverage", k=None),
        row("mrr") | {"value": None},
    ]

    assert leaderboard_metrics(rows, primary_k=20) == {
        "hybrid.ndcg_at_20": 0.25,
        "hybrid.ndcg_at_10": 0.25,
        "hybrid.recall_at_20.tail.quiet_users": 0.25,
        "hybrid.coverage": 0.25,
    }


def test_only_the_numbers_of_a_report_become_metrics() -> None:
    report = {"rows": {"in": 5, "out": 4}, "ordered": True, "protocol": "temporal"}
    assert numbers("report", report) == {"report.rows.in": 5.0, "report.rows.out": 4.0}
