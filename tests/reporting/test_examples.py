import pandas as pd

from longtail.reporting.examples import (
    Entry,
    draw_searchable,
    draw_users,
    example_lists,
    search_data,
)


def pairs(*rows: str) -> pd.DataFrame:
    """Build user_id, item_id rows from "user item item ..." strings."""
    split = [row.split() for row in rows]
    return pd.DataFrame(
        [(user, item) for user, *items in split for item in items], columns=["user_id", "item_id"]
    )


def test_only_evaluated_quiet_users_are_drawn() -> None:
    user_groups = pd.DataFrame(
        {
            "user_id": list("abcdef"),
            "user_group": ["quiet", "active", "quiet", "quiet", "new", "quiet"],
        }
    )
    evaluated = pd.Series(list("abcefc"))
    assert draw_users(user_groups, evaluated, 10, seed=0) == ["a", "c", "f"]
    assert len(draw_users(user_groups, evaluated, 2, seed=0)) == 2
    assert draw_users(user_groups, evaluated, 2, seed=5) == draw_users(
        user_groups, evaluated, 2, seed=5
    )


def test_an_example_by_hand() -> None:
    items = pd.DataFrame({"item_id": list("pqrs"), "title": ["Pea", "Quince", "", "Sage"]})
    understanding = pd.DataFrame(
        {
            "item_id": list("pqrs"),
            "keywords": ["pod, green", "fruit", "", "herb"],
            "summary": ["", "A sour fruit.", "", ""],
        }
    )
    groups = pd.DataFrame({"item_id": list("pqrs"), "item_group": ["head", "tail", "cold", "tail"]})
    recommendations = pairs("u r s", "v q r").assign(rank=[2, 1, 1, 2])
    (example,) = example_lists(
        ["u"],
        pairs("u p q", "v s"),
        pairs("u r"),
        {"als": recommendations},
        items,
        understanding,
        groups,
        2,
    )
    assert (example.user_id, example.n_history, example.n_chosen) == ("u", 2, 1)
    # The summary describes the item, or the keywords if there is none.
    assert example.latest == [
        Entry("Quince", "A sour fruit.", "tail", False),
        Entry("Pea", "pod, green", "head", False),
    ]
    # The id replaces a missing title.
    assert example.chosen == [Entry("r", "", "cold", False)]
    assert example.lists == {
        "als": [Entry("Sage", "herb", "tail", False), Entry("r", "", "cold", True)]
    }


def test_the_examples_are_among_the_users_to_search_in() -> None:
    evaluated = pd.Series(list("abcdefghij") * 2)
    drawn = draw_searchable(evaluated, ["j"], 3, seed=0)
    assert len(drawn) == 3
    assert "j" in drawn
    assert drawn == sorted(set(drawn))
    assert draw_searchable(evaluated, ["j"], 3, seed=0) == drawn
    assert draw_searchable(evaluated, [], 100, seed=0) == list("abcdefghij")
    assert draw_searchable(evaluated, ["j"], 0, seed=0) == []


def test_search_holds_each_item_once_with_hits_and_reasons() -> None:
    items = pd.DataFrame({"item_id": list("pq"), "title": ["Red lamp", "Red lamp"]})
    understanding = pd.DataFrame(
        {"item_id": list("pq"), "keywords": ["lamp, oak", "red"], "summary": ["", ""]}
    )
    groups = pd.DataFrame({"item_id": list("pq"), "item_group": ["head", "tail"]})
    lists = pairs("u q", "v q p").assign(rank=[1, 1, 2])
    examples = example_lists(
        ["u", "v"],
        pairs("u p"),
        pairs("u q", "v p"),
        {"hybrid": lists, "als": lists},
        items,
        understanding,
        groups,
        1,
        reasons=pairs("u q", "v p").assign(sentence=["Similar.", "Too deep."]),
        latest=5,
    )
    assert search_data(examples) == {
        "items": [["p", "Red lamp", "head", "oak"], ["q", "Red lamp", "tail", ""]],
        "users": [
            {"id": "u", "n_history": 1, "n_chosen": 1, "history": [0], "chosen": [1]}
            | {"lists": {"hybrid": [[1, 1, "Similar."]], "als": [[1, 1, ""]]}},
            {"id": "v", "n_history": 0, "n_chosen": 1, "history": [], "chosen": [0]}
            | {"lists": {"hybrid": [[1, 0, ""]], "als": [[1, 0, ""]]}},
        ],
    }
