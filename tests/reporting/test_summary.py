from typing import Any

import pytest

from longtail.reporting.summary import ColdItems, Summary, summarise

PROFILE = {
    "data_set": "books",
    "totals": {"users": 1200, "items": 300, "pairs": 45000},
    "months": [{"month": "2020-01"}, {"month": "2021-12"}],
}
TEMPORAL = {"protocol": "temporal", "test_start": 1_609_459_200}


def headline(against: str, measure: str, baseline: str, value: float, **key: Any) -> dict[str, Any]:
    """The hybrid, which has 0.3, against a rival."""
    return {
        "against": against,
        "measure": measure,
        "baseline": baseline,
        "baseline_value": value,
        "value": 0.3,
        "ratio": 0.3 / value if value else None,
        "ratio_ci_low": 0.27 / value if value else None,
        "ratio_ci_high": 0.33 / value if value else None,
        "verdict": "higher",
    } | key


HEADLINES = [
    headline("baseline", "overall", "als", 0.2),
    headline("baseline", "head items", "als", 0.25),
    headline("best without text", "overall", "ease", 0.25),
    headline("best without text", "head items", "popularity", 0.4, verdict="lower"),
    headline("best with text", "overall", "text_knn", 0.3, verdict="not different"),
    headline("best with text", "head items", "text_knn", 0.1),
]


def summary(headlines: list[dict[str, Any]] = HEADLINES, **changes: Any) -> Summary:
    given = {
        "profile": PROFILE,
        "split": TEMPORAL,
        "headlines": headlines,
        "cold": ColdItems(50, 10),
        "n_users": 2000,
        "k": 20,
        "confidence": 0.95,
        "run": "v1",
    }
    return summarise(**(given | changes))


def test_the_facts_are_those_of_data_and_run() -> None:
    found = summary()
    assert found.data_set == "books"
    assert dict(found.facts) == {
        "Dates": "2020-01 to 2021-12",
        "Users": "1,200",
        "Items": "300",
        "Interactions": "45,000",
        "Evaluated": "2,000 users, lists of 20 items",
        "Protocol": "temporal: one cut in time for all users, test from 2021-01-01",
        "Run": "v1",
    }


def test_the_result_is_against_the_baseline_and_the_best_single_model() -> None:
    assert summary().result == (
        "For 2,000 users, NDCG@20 of the hybrid is 1.50 times that of als (95 % interval 1.35 to"
        " 1.65, higher), and 1.00 times that of text_knn (0.90 to 1.10, not different), the best"
        " single model."
    )


def test_a_baseline_that_is_the_best_single_model_is_named_once() -> None:
    rows = [
        headline("baseline", "overall", "als", 0.4),
        headline("best without text", "overall", "als", 0.4),
    ]
    assert summary(rows).result == (
        "For 2,000 users, NDCG@20 of the hybrid is 0.75 times that of als (95 % interval 0.68 to"
        " 0.82, higher), the best single model."
    )


def test_a_rival_without_a_hit_has_no_ratio() -> None:
    rows = [headline("best with text", "overall", "text_knn", 0.0)]
    assert "is 0.3000 against 0 of text_knn (higher)" in summary(rows).result


def test_without_rivals_nothing_is_compared() -> None:
    found = summary([])
    assert "nothing is compared" in found.result
    assert found.price == ""


def test_the_price_is_what_head_items_lose() -> None:
    assert summary().price == (
        "On head items, Recall@20 is 1.20 times that of als (1.08 to 1.32, higher), and 0.75 times"
        " that of popularity (0.68 to 0.82, lower), the best single model on these."
    )


@pytest.mark.parametrize(
    ("changes", "caution"),
    [
        ({"cold": ColdItems(50, 48)}, "Quality on new items: 48 of 50 cold items have a test"),
        ({"n_users": 62}, "Small differences: only 62 users are evaluated."),
        ({"split": {"protocol": "per_user", "test_start": None}}, "models know what others did"),
        ({"headlines": HEADLINES}, "Equal quality"),
    ],
)
def test_cautions_follow_from_the_data(changes: dict[str, Any], caution: str) -> None:
    plain = summary([r for r in HEADLINES if r["verdict"] != "not different"])
    assert caution not in " ".join(plain.cautions)
    assert caution in " ".join(summary(**changes).cautions)


def test_sales_one_data_set_and_text_are_always_named() -> None:
    for words in ("Sales", "one data set, one split and one seed", "--pipelines=arms"):
        assert any(words in caution for caution in summary().cautions)


def test_data_without_calendar_times_or_name() -> None:
    split = {"protocol": "per_user", "test_start": None}
    profile = {"totals": PROFILE["totals"], "months": []}
    found = summary(profile=profile, split=split)
    assert dict(found.facts)["Dates"] == "none"
    assert found.data_set == "unnamed data"
    assert not any("later" in caution for caution in found.cautions)
