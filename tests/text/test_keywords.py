import numpy as np
import pandas as pd
import pytest

from longtail.text.keywords import (
    KeywordTable,
    beyond_title,
    choose_keywords,
    common_phrases,
    join_keywords,
    phrases_held,
    phrases_in,
)


def test_phrases_end_at_stop_words_numbers_and_punctuation() -> None:
    assert list(phrases_in("Oak lamp of 2 lights, warm-white. B12 玫瑰")) == [
        "oak",
        "lamp",
        "oak lamp",
        "lights",
        "warm-white",
        "玫瑰",
    ]


def test_common_phrases_come_first_and_those_of_most_items_not_at_all() -> None:
    texts = ["oak lamp", "oak rug", "oak lamp", "", "blue tin"]
    assert common_phrases(texts, 2) == ["lamp", "oak lamp"]
    assert "oak" not in common_phrases(texts, 100)


def test_keywords_are_close_to_the_item_and_diverse() -> None:
    phrases = np.array([[1, 0], [0.98, 0.2], [0.6, 0.8], [0, 1]], dtype=np.float32)
    items = np.array([[0.96, 0.28], [0.96, 0.28], [0, 0]], dtype=np.float32)
    held = phrases_held(["red scarlet warm", "red cold", ""], ["red", "scarlet", "warm", "cold"])
    closest = choose_keywords(items, phrases, held, most=3, diversity=0.0)
    assert closest.tolist() == [[1, 0, 2], [0, 3, -1], [-1, -1, -1]]
    # By hand: 0.5 * 0.8 - 0.5 * 0.748 for warm is more than 0.5 * 0.96 - 0.5 * 0.98 for red.
    diverse = choose_keywords(items, phrases, held, most=2, diversity=0.5)
    assert diverse.tolist() == [[1, 2], [0, 3], [-1, -1]]


def test_no_phrases_give_no_keywords() -> None:
    nothing = np.empty((0, 2), dtype=np.float32)
    chosen = choose_keywords(
        np.ones((2, 2), np.float32), nothing, phrases_held(["a", "b"], []), 3, 0
    )
    assert join_keywords(chosen, []) == ["", ""]


def test_a_table_of_keywords_knows_places_and_texts() -> None:
    table = KeywordTable.of(
        pd.Series(["oak lamp", "a lamp", "rug"]), pd.Series(["oak, lamp", "", ""])
    )
    assert table.vocabulary.tolist() == ["lamp", "oak"]
    assert table.weights.toarray().tolist() == [[0.5, 1], [0, 0], [0, 0]]
    assert table.held.toarray().tolist() == [[1, 1], [1, 0], [0, 0]]


@pytest.mark.parametrize(
    ("keywords", "title", "expected"),
    [
        ("toys, story, cowboy doll, space", "Toy Story (1995)", "cowboy doll, space"),
        ("red lamp, oak", "Lamps", "oak"),
        ("oak", "", "oak"),
        ("", "Lamp", ""),
    ],
)
def test_keywords_that_repeat_the_title_are_left_out(
    keywords: str, title: str, expected: str
) -> None:
    assert beyond_title(keywords, title) == expected
