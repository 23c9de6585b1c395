"""What is said of the arms, and in which groups they are compared."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from longtail.metrics.arms import CONTRASTS, GROUPS, advice, count_groups, shown_rows
from longtail.metrics.leaderboard import Resampling, compare_pairs
from longtail.metrics.scoring import score_model
from longtail.metrics.tables import ground_truth
from longtail.text.item_text import text_groups

LANGUAGE_OR_TFIDF = next(iter(CONTRASTS.values()))


def row(label: str, verdict: str, contrast: str = LANGUAGE_OR_TFIDF) -> dict[str, Any]:
    groups = {name: (metric, item, user) for name, metric, item, user in GROUPS}
    metric, item_group, user_group = groups[label]
    return {"contrast": contrast, "metric": metric, "k": 20, "ratio": 1.1, "verdict": verdict} | {
        "item_group": item_group,
        "user_group": user_group,
        "n_users": 20,
    }


@pytest.mark.parametrize(
    ("verdicts", "start"),
    [
        (("higher", "higher"), "Use the language model: against TF-IDF vectors"),
        (("not different", "lower"), "Use TF-IDF: TF-IDF vectors"),
        (("not different", "not different"), "TF-IDF would do:"),
        (("higher", "lower"), "Against TF-IDF vectors"),
    ],
)
def test_the_advice_follows_the_verdicts(verdicts: tuple[str, str], start: str) -> None:
    rows = [row("tail items", verdicts[0]), row("cold items", verdicts[1])]
    other = row("all", "higher", contrast="text against none")
    said = advice([*rows, other], 20, 4.94)
    assert said.startswith(start)
    assert said.endswith("Encoding takes 4.9 seconds per thousand new texts.")
    for label, verdict in zip(("tail items", "cold items"), verdicts, strict=True):
        assert (label in said) == (verdict != "not different")


def test_without_the_contrast_nothing_is_advised() -> None:
    assert advice([row("all", "higher", contrast="text against none")], 20) == ""


def test_groups_of_few_users_are_not_shown() -> None:
    few, enough = row("cold items", "higher") | {"n_users": 19}, row("all", "higher")
    assert [label for label, _ in shown_rows([few, enough], 20)] == ["all"]
    assert "cold items" not in advice([few, enough], 20)


def test_items_are_grouped_by_count() -> None:
    groups = count_groups(np.array([0, 1, 4, 5, 19, 20]))
    assert {name: np.flatnonzero(mask).tolist() for name, mask in groups.items()} == {
        "count_1_to_4": [1, 2],
        "count_5_to_19": [3, 4],
        "count_20_or_more": [5],
    }


def test_items_are_grouped_by_text() -> None:
    texts = pd.Series(["a red train", "木制火车 train", "", "a blue train set for all", "12"])
    trained = np.array([True, False, False, True, True])
    groups = text_groups(texts, trained)
    assert groups["other_script"].tolist() == [False, False, False, False, False]
    assert groups["unseen_words"].tolist() == [False, True, False, False, False]
    cyrillic = text_groups(texts.str.replace("train", "поезд"), trained)["other_script"]
    assert cyrillic.tolist() == [True, True, False, False, False]


def test_users_are_grouped_by_the_length_of_their_history() -> None:
    lengths = {"a": 1, "b": 4, "c": 5, "d": 20, "e": 25}
    items = [f"i{n}" for n in range(30)]
    history = pd.DataFrame(
        [(user, item) for user, n in lengths.items() for item in items[:n]],
        columns=["user_id", "item_id"],
    )
    chosen = pd.DataFrame({"user_id": [*lengths], "item_id": "i29"})
    item_groups = pd.DataFrame({"item_id": items, "interaction_count": 1, "item_group": "tail"})
    user_groups = pd.DataFrame({"user_id": [*lengths], "user_group": "quiet"})
    truth = ground_truth(chosen, history, history.iloc[:0], item_groups, user_groups)
    found = {user: "i29" if user in "ade" else "i28" for user in lengths}
    scores = {
        name: score_model(
            pd.DataFrame({"user_id": [*lists], "item_id": [*lists.values()], "rank": 1}), truth, [1]
        )
        for name, lists in {"language": found, "tfidf": dict.fromkeys(lengths, "i28")}.items()
    }
    resampling = Resampling(draws=100, seed=1, confidence=0.95)
    rows, comparisons = compare_pairs(
        scores, truth, [[("language", "tfidf")]], resampling, by_history_length=True
    )
    expected = {
        "all": (3 / 5, 5),
        "quiet": (3 / 5, 5),
        "history_1_to_4": (1 / 2, 2),
        "history_5_to_19": (0, 1),
        "history_20_or_more": (1, 2),
    }
    for table in ([row for row in rows if row["model"] == "language"], comparisons):
        shown = [row for row in table if (row["metric"], row["item_group"]) == ("ndcg", "all")]
        assert {row["user_group"]: (row["value"], row["n_users"]) for row in shown} == expected
