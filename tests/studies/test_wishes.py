"""One sentence of a description as a wish for its item."""

import numpy as np
import pandas as pd

from longtail.studies.wishes import draw_wishes, found_items, search_scores

POSTAGE = "We ship to every country within two working days."
ITEMS = pd.DataFrame(
    {
        "item_id": ["lamp", "rug", "cup", "pen", "tray"],
        "title": ["Lamp", "Rug", "Cup", "Pen", "Tray"],
        "description": [
            f"A brass lamp for the desk at night. Its arm bends to any angle you like. {POSTAGE}",
            f"Knotted by hand from undyed wool. {POSTAGE}",
            "Short. Tiny.",
            None,
            "适合周末和朋友一起在公园里喝下午茶的人使用也可以放在家里的床上吃早餐。木制托盘带把手容易清洗边角圆滑孩子也可以安全地使用它不用担心受伤或者弄坏。",
        ],
    }
)


def test_a_wish_is_a_sentence_of_one_description_and_the_rest_stays() -> None:
    wishes = draw_wishes(ITEMS, 10, seed=1).set_index("item_id")
    assert sorted(wishes.index) == ["lamp", "rug", "tray"]
    for item_id, row in wishes.iterrows():
        whole = ITEMS.set_index("item_id").loc[item_id, "description"]
        assert row["wish"] in whole
        assert row["wish"] != POSTAGE
        assert row["wish"] not in row["description"]
        assert sorted(whole.replace(" ", "")) == sorted(
            (row["wish"] + row["description"]).replace(" ", "")
        )
    assert wishes.loc["rug", "wish"] == "Knotted by hand from undyed wool."


def test_wishes_are_drawn_at_random_and_come_back_with_the_seed() -> None:
    assert len(draw_wishes(ITEMS, 2, seed=1)) == 2
    assert draw_wishes(ITEMS, 2, seed=1).equals(draw_wishes(ITEMS, 2, seed=1))
    assert draw_wishes(ITEMS.assign(description=None), 2, seed=1).empty


def test_each_search_ranks_the_items() -> None:
    texts = pd.Series(["brass lamp", "wool rug", "cup of tea"])
    vectors = np.eye(3, dtype=np.float32)
    asked = np.array([[0, 0, 1], [0, 1, 0]], dtype=np.float32)
    scores = search_scores(texts, texts, vectors, ["a lamp", "the"], asked)
    assert scores["bm25"].argmax(axis=1)[0] == 0
    # A query of stop words alone matches nothing.
    assert not scores["bm25"][1].any()
    assert scores["language"].argmax(axis=1).tolist() == [2, 1]
    assert scores["words_and_language"].shape == (2, 3)
    lists = found_items(scores["language"], pd.Series(["x", "y", "z"]), pd.Index(["4", "9"]), 2)
    assert lists.to_dict("list") == {
        "user_id": ["4", "4", "9", "9"],
        "item_id": ["z", "x", "y", "x"],
        "rank": [1, 2, 1, 2],
    }
