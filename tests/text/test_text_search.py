"""Matches of a text: by words, by meaning, and none."""

import numpy as np
import pandas as pd
import pytest

from longtail.text.search import TextSearch

TITLES = ["Star Wars (1977)", "Malice (1993)", "The Star Maker", "", "unkonwn"]
TEXTS = [
    "Star Wars (1977). War.",
    "Malice (1993). Thriller.",
    "The Star Maker. Drama.",
    "",
    "unkonwn",
]
VECTORS = np.eye(5, dtype=np.float32)
NO_MEANING = np.zeros((1, 5), dtype=np.float32)


@pytest.fixture
def search() -> TextSearch:
    return TextSearch.of(pd.Series(TITLES), pd.Series(TEXTS), VECTORS)


def test_the_words_of_a_title_find_it(search: TextSearch) -> None:
    found = search.match([""], ["star wars"], NO_MEANING)
    assert found.score[0].argmax() == 0
    assert found.by_words[0].tolist() == [True, False, True, False, False]
    assert search.shared_words("Star Wars the", np.array([0, 2])) == ["wars, star", "star, the"]


def test_words_that_no_item_has_lower_the_match(search: TextSearch) -> None:
    one = search.match([""], ["malice"], NO_MEANING).score[0, 1]
    with_others = search.match([""], ["malice wooden train"], NO_MEANING)
    assert with_others.score[0, 1] < one / 2
    assert not search.match([""], ["wooden train"], NO_MEANING).by_words.any()
    # A word that says nothing finds nothing.
    assert not search.match([""], ["the wooden train"], NO_MEANING).by_words.any()


def test_a_copy_is_the_same_and_matches_in_full(search: TextSearch) -> None:
    found = search.match([TITLES[0]], [TEXTS[0]], VECTORS[:1])
    assert found.score[0, 0] == pytest.approx(1, abs=1e-5)
    assert (found.score[0, 1:] < 0.5).all()


def test_close_in_meaning_is_far_above_the_other_items() -> None:
    titles = pd.Series([f"item{n}" for n in range(50)])
    search = TextSearch.of(titles, titles, np.eye(50, dtype=np.float32))
    near, far = np.zeros((2, 1, 50), dtype=np.float32)
    near[0, 7], far[0] = 0.6, 0.14
    assert np.flatnonzero(search.match([""], ["x"], near).by_meaning[0]).tolist() == [7]
    assert not search.match([""], ["x"], far).by_meaning.any()


def test_new_items_are_found_by_new_words(search: TextSearch) -> None:
    larger = search.with_items(["The New Saga"], ["The New Saga. Drama"], NO_MEANING)
    assert larger.match([""], ["saga"], np.zeros((1, 5), np.float32)).score[0].argmax() == 5
    before = search.match([""], ["star wars"], NO_MEANING).score[0]
    after = larger.match([""], ["star wars"], NO_MEANING).score[0]
    assert after[:5] == pytest.approx(before, abs=1e-6)


def test_a_catalogue_without_words_matches_nothing() -> None:
    empty = pd.Series(["", ""])
    search = TextSearch.of(empty, empty, np.zeros((2, 3), np.float32))
    found = search.match([""], ["tea"], np.zeros((1, 3), np.float32))
    assert not found.score.any()
    assert not (found.by_words | found.by_meaning).any()
