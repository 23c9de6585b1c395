from typing import Any

from longtail.metrics.headlines import headlines, in_words, verdict

TEXT = {"text_knn", "l3ae"}


def row(baseline: str, metric: str, value: float, p: float = 0.01, **key: Any) -> dict[str, Any]:
    """The hybrid, which has 0.3, against a model."""
    return {
        "model": "hybrid",
        "baseline": baseline,
        "metric": metric,
        "k": 20,
        "item_group": "all" if metric == "ndcg" else "tail",
        "user_group": "all",
        "baseline_value": value,
        "value": 0.3,
        "difference": 0.3 - value,
        "ratio": 0.3 / value,
        "ratio_ci_low": 0.28 / value,
        "ratio_ci_high": 0.32 / value,
        "p_holm": p,
    } | key


ROWS = [
    row("als", "ndcg", 0.2),
    row("als", "recall", 0.1),
    row("ease", "ndcg", 0.25),
    row("ease", "recall", 0.15),
    row("als_recent", "ndcg", 0.24),
    row("als_recent", "recall", 0.35),
    row("text_knn", "ndcg", 0.1),
    row("text_knn", "recall", 0.4),
    row("l3ae", "ndcg", 0.29, p=0.2),
    row("l3ae", "recall", 0.2),
    row("ease", "ndcg", 0.9, k=10),
    row("ease", "ndcg", 0.9, user_group="quiet"),
    row("ease", "ndcg", 0.9) | {"model": "als", "baseline": "ease"},
]


def test_each_measure_has_the_strongest_rival_of_its_kind() -> None:
    found = headlines(ROWS, 20, "als", TEXT)
    assert [(r["against"], r["measure"], r["baseline"], r["verdict"]) for r in found] == [
        ("baseline", "overall", "als", "higher"),
        ("baseline", "tail items", "als", "higher"),
        ("best without text", "overall", "ease", "higher"),
        ("best without text", "tail items", "als_recent", "lower"),
        ("best with text", "overall", "l3ae", "not different"),
        ("best with text", "tail items", "text_knn", "lower"),
    ]


def test_without_models_that_read_text_there_is_no_such_rival() -> None:
    found = headlines([r for r in ROWS if r["baseline"] not in TEXT], 20, "als", TEXT)
    assert {r["against"] for r in found} == {"baseline", "best without text"}


def test_the_verdict_needs_a_p_value() -> None:
    assert verdict(row("als", "ndcg", 0.2, p=0.049)) == "higher"
    assert verdict(row("als", "ndcg", 0.2, p=0.05)) == "not different"
    assert verdict(row("als", "ndcg", 0.2) | {"p_holm": None}) == "not different"


def test_the_sentences_name_rival_ratio_and_interval() -> None:
    sentences = in_words(headlines(ROWS, 20, "als", TEXT), 20, 0.95)
    assert sentences[0] == (
        "The hybrid against the baseline: overall higher than als, x1.50 (95 % interval 1.40 to"
        " 1.60); tail items higher than als, x3.00 (95 % interval 2.80 to 3.20) (K = 20)."
    )
    assert "overall not different from l3ae, x1.03" in sentences[2]
    assert "tail items lower than text_knn, x0.75" in sentences[2]


def test_a_rival_without_hits_has_no_ratio() -> None:
    nothing = {"ratio": None, "ratio_ci_low": None, "ratio_ci_high": None, "baseline_value": 0.0}
    found = headlines([row("als", "recall", 0.1) | nothing], 20, "als", TEXT)
    assert "tail items higher than als (K = 20)." in in_words(found, 20, 0.95)[0]
