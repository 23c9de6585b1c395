import numpy as np
import pandas as pd
import scipy.sparse as sp
from tests.recommenders.worlds import tiny_data

from longtail.hybrid.reasons import closest_own_item, explain, shared_keywords, write_sentences
from longtail.recommenders.collaborative.item_knn import ItemKNN, graph_of
from longtail.text.keywords import KeywordTable

TITLES = pd.Series(["Oak lamp", "Pine lamp", "Blue rug", "Red rug"])
KEYWORDS = KeywordTable.of(TITLES, pd.Series(["oak, lamp", "lamp", "rug", "red rug, rug"]))
GRAPH = sp.csr_array(
    np.array([[0, 0.5, 0, 0], [0.5, 0, 0, 0], [0, 0, 0, 0.9], [0.1, 0.2, 0.9, 0]], dtype="f4")
)
DESCRIPTIONS = {"als": "what similar customers chose", "text_knn": "its description"}


def test_own_item_that_is_closest() -> None:
    histories = tiny_data().histories
    own = closest_own_item(histories, np.array([0, 1, 2]), np.array([3, 3, 3]), GRAPH)
    # u1 has a and b, u2 also c, u3 nothing.
    assert own.tolist() == [1, 2, -1]


def test_without_a_fitted_model_no_own_item_is_close() -> None:
    data = tiny_data()
    pairs = np.array([0, 1, 2]), np.array([2, 3, 3])
    fitted = graph_of(ItemKNN().fit(data), data.histories.n_items)
    assert closest_own_item(data.histories, *pairs, fitted).max() >= 0
    unfitted = graph_of({}, data.histories.n_items)
    assert closest_own_item(data.histories, *pairs, unfitted).tolist() == [-1, -1, -1]


def test_shared_keywords_leave_out_what_one_text_lacks() -> None:
    shared = shared_keywords(KEYWORDS, np.array([0, 2, 1]), np.array([1, 3, -1]))
    assert shared == ["lamp", "rug", ""]


def test_the_best_shared_keywords_are_kept() -> None:
    texts = pd.Series(["oak lamp for desks", "oak lamp shade"])
    keywords = KeywordTable.of(texts, pd.Series(["desks, lamp, oak", "oak lamp, oak"]))
    # The phrase is first of one item; oak third of one and second of the other; lamp second of one.
    assert shared_keywords(keywords, np.array([0]), np.array([1]), 2) == ["oak, oak lamp"]


def test_items_without_keywords_share_nothing() -> None:
    keywords = KeywordTable.of(pd.Series(["", "12"]), pd.Series(["", ""]))
    assert shared_keywords(keywords, np.array([0]), np.array([1])) == [""]


def test_reasons_are_sentences_of_given_facts() -> None:
    recommendations = pd.DataFrame(
        {
            "user_id": ["u1", "u2", "u3"],
            "item_id": ["d", "d", "d"],
            "rank": [1, 1, 1],
            "contribution_als": [0.1, 0.9, 0.0],
            "contribution_text_knn": [0.7, 0.2, 0.0],
        }
    )
    empty = sp.csr_array((4, 4), dtype=np.float32)
    reasons = explain(
        recommendations, tiny_data().histories, TITLES, KEYWORDS, empty, GRAPH, DESCRIPTIONS
    )
    assert reasons["sentence"].tolist() == [
        "Similar to 'Pine lamp', which you chose. Main reason: its description.",
        "Similar to 'Blue rug' (rug), which you chose. Main reason: what similar customers chose.",
        "Recommended for new customers.",
    ]


def test_behaviour_comes_first() -> None:
    recommendations = pd.DataFrame(
        {
            "user_id": ["u2"],
            "item_id": ["d"],
            "rank": [1],
            "contribution_als": [1.0],
            "contribution_text_knn": [0.0],
        }
    )
    reasons = explain(
        recommendations, tiny_data().histories, TITLES, KEYWORDS, GRAPH, GRAPH, DESCRIPTIONS
    )
    assert reasons["sentence"][0].startswith(
        "People who chose 'Blue rug' also chose this, and the two are similar (rug)."
    )


def test_a_request_is_not_called_a_choice() -> None:
    reasons = pd.DataFrame(
        {
            "own_title_by_behaviour": ["", "Oak lamp", ""],
            "own_title_by_text": ["a warm lamp", "a warm lamp", ""],
            "own_item_by_text": "",
            "keywords": ["lamp", "", ""],
            "main_source": "its description",
        }
    )
    assert write_sentences(reasons, np.zeros(3, dtype=bool)).tolist() == [
        "Matches your request 'a warm lamp' (lamp). Main reason: its description.",
        "People who chose 'Oak lamp' also chose this, and it matches your request 'a warm lamp'."
        " Main reason: its description.",
        "Recommended because of its description.",
    ]
