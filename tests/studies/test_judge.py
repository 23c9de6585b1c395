import pandas as pd

from longtail.studies.judge import draw_users, orders, write_questions


def test_only_test_users_with_a_history_are_drawn() -> None:
    groups = pd.DataFrame(
        {"user_id": list("abcd"), "user_group": ["quiet", "new", "active", "new"]}
    )
    test = pd.DataFrame({"user_id": list("dcbaa")})
    assert draw_users(test, groups, 10, seed=0) == ["a", "c"]
    assert len(draw_users(test, groups, 1, seed=0)) == 1
    assert draw_users(test, groups, 0, seed=0) == []


def test_a_question_names_the_latest_items_and_the_candidate() -> None:
    lists = pd.DataFrame({"user_id": ["u", "v"], "item_id": ["r", "p"]})
    history = pd.DataFrame({"user_id": list("uuvu"), "item_id": list("pqqs")})
    titles = pd.Series({"p": "Pea", "q": "Quince", "r": "Rice", "s": "Sage"})
    first, second = write_questions(lists, history, titles, latest=2)
    assert "the latest first:\n- Sage\n- Quince\nWould" in first
    assert "next?\n- Rice\n" in first
    assert "the latest first:\n- Quince\nWould" in second


def test_orders_by_hand() -> None:
    lists = pd.DataFrame(
        {
            "user_id": list("uuuvv"),
            "item_id": list("abcab"),
            "rank": [1, 2, 3, 1, 2],
            "score": [3.0, 2.0, 1.0, 5.0, 4.0],
            "log_odds": [-1.0, 2.5, -1.0, 0.5, 0.5],
        }
    )
    found = {
        name: table.groupby("user_id")["item_id"].agg("".join).to_dict()
        for name, table in orders(lists).items()
    }
    assert found["hybrid"] == {"u": "abc", "v": "ab"}
    # A judge who cannot tell two items leaves their order.
    assert found["judge"] == {"u": "bac", "v": "ab"}
    # Standardised: a 1.22 - 0.71, b 0 + 1.41, c -1.22 - 0.71.
    assert found["blend"] == {"u": "bac", "v": "ab"}
    assert orders(lists)["judge"]["rank"].tolist() == [1, 2, 3, 1, 2]
