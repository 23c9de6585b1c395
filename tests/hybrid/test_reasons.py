import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from tests.recommenders.worlds import taste_world, tiny_data

from longtail.hybrid.candidates import Candidates, propose
from longtail.hybrid.fitting import fit_hybrid
from longtail.hybrid.gate import Gate
from longtail.hybrid.model import Hybrid
from longtail.hybrid.parameters import HybridParameters
from longtail.hybrid.ranking import (
    COMMON_EVIDENCE,
    common_evidence,
    furthest,
    recommend_hybrid,
)
from longtail.hybrid.reasons import closest_own_item, explain, shared_keywords, write_sentences
from longtail.recommenders.base import TrainingData
from longtail.recommenders.collaborative.als import ALS
from longtail.recommenders.collaborative.item_knn import ItemKNN, graph_of
from longtail.recommenders.content.text_knn import TextKNN
from longtail.recommenders.fitted_model import FittedModel
from longtail.recommenders.validation import ValidationTargets, validation_targets
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
            "main_source": ["text_knn", "als", None],
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
            "main_source": ["als"],
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


def test_an_item_that_nothing_distinguishes_has_no_main_reason() -> None:
    reasons = pd.DataFrame(
        {
            "own_title_by_behaviour": ["Oak lamp", ""],
            "own_title_by_text": "",
            "own_item_by_text": "",
            "keywords": "",
            "main_source": "",
        }
    )
    assert write_sentences(reasons, np.zeros(2, dtype=bool)).tolist() == [
        "People who chose 'Oak lamp' also chose this.",
        "Recommended for several reasons, none of them strong.",
    ]


World = tuple[TrainingData, ValidationTargets, dict[str, FittedModel], Hybrid, HybridParameters]


def test_the_main_source_is_furthest_above_its_mean() -> None:
    contributions = np.array([[5.0, 0.3, 0.1], [5.2, 0.2, 0.1], [4.9, 0.1, 0.0]])
    means = np.tile([5.0, 0.2, 0.2], (3, 1))
    assert furthest(contributions - means).tolist() == [1, 0, -1]


def test_popularity_and_trend_are_named_only_where_they_are_true() -> None:
    above = {
        "of_item": np.array([0.5, 0.5, -0.1, 0.2]),
        "of_trend": np.array([0.1, 0.1, 0.4, 0.4]),
        "chosen": np.array([1.0, -1.0, 1.0, 1.0]),
        "lately": np.array([1.0, 1.0, 1.0, -1.0]),
    }
    names = [[*COMMON_EVIDENCE][column] for column in furthest(common_evidence(**above))]
    # The second is lifted by its rarity; the fourth is no trend, since few chose it lately.
    assert names == ["popularity", "rarity", "trend", "popularity"]


# A new item is not called popular.
@pytest.mark.parametrize(
    ("feature", "length", "main"), [("trend_0.1", 3, "trend"), ("is_new", 1, "rarity")]
)
def test_an_item_that_one_feature_lifts_says_so(
    feature: str, length: int, main: str, world: World
) -> None:
    data, targets, sources, hybrid, parameters = world
    gate = Gate.of_one(hybrid.gate.names, feature)
    by_feature = replace(hybrid, gate=gate, tail_emphasis=0.0)
    table = recommend_hybrid(by_feature, sources, data, targets.users, length, parameters)
    assert set(table["main_source"]) == {main}


@pytest.fixture(scope="module")
def world() -> World:
    """A hybrid of three sources on users who like every second item."""
    data = taste_world(n_users=60, n_items=40, share=0.4, new_items=4)
    liked = np.arange(60)[:, None] % 2 == np.arange(44)[None, :] % 2
    unseen = liked & (data.histories.matrix().toarray() == 0)
    held_out = sp.csr_array(unseen & (np.random.default_rng(5).random(unseen.shape) < 0.2))
    targets = validation_targets(data.histories, held_out, max_users=100, seed=0)
    models = {"als": ALS(factors=4), "item_knn": ItemKNN(), "text_knn": TextKNN()}
    sources = {name: FittedModel(model, model.fit(data)) for name, model in models.items()}
    parameters = HybridParameters(sources=tuple(models), candidates_per_source=10)
    hybrid = fit_hybrid(sources, data, targets, sources["als"], parameters, 20)
    return data, targets, sources, hybrid, parameters


def evidence_alone(hybrid: Hybrid, sources: dict[str, FittedModel]) -> Hybrid:
    """Return the hybrid in which each contribution is the evidence of a source."""
    names = hybrid.gate.names
    weights = np.array([float(name in sources) for name in names])
    return replace(hybrid, gate=Gate(names, weights, weights))


def test_the_main_source_is_relative_to_all_candidates_of_the_user(world: World) -> None:
    data, targets, sources, hybrid, parameters = world
    hybrid = evidence_alone(hybrid, sources)
    short = recommend_hybrid(hybrid, sources, data, targets.users, 5, parameters)
    everything = recommend_hybrid(hybrid, sources, data, targets.users, 1000, parameters)
    columns = [f"contribution_{name}" for name in sources]
    above = everything[columns] - everything.groupby("user_id")[columns].transform("mean")
    assert set(short["main_source"].dropna()) <= {*sources}
    expected = above.idxmax(axis=1).str.removeprefix("contribution_")
    expected = expected.where(above.max(axis=1) > 1e-6)[everything["rank"] <= 5]
    assert short["main_source"].astype(object).tolist() == expected.tolist()
    assert len(set(short["main_source"])) > 1


@pytest.mark.parametrize("constant", [-3.0, 3.0])
@pytest.mark.parametrize("name", ["als", "item_knn", "text_knn"])
def test_a_constant_added_to_a_source_changes_no_reason(
    name: str, constant: float, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A constant shifts one column of contributions, since all weights are those of evidence."""
    data, targets, sources, hybrid, parameters = world
    hybrid = evidence_alone(hybrid, sources)
    before = recommend_hybrid(hybrid, sources, data, targets.users, 10, parameters)

    def shifted(*given: object, **options: object) -> Candidates:
        found = propose(*given, **options)
        column = np.array([source == name for source in found.sources], dtype=np.float32)
        return replace(found, evidence=found.evidence + np.float32(constant) * column)

    monkeypatch.setattr("longtail.hybrid.ranking.propose", shifted)
    after = recommend_hybrid(hybrid, sources, data, targets.users, 10, parameters)
    moved = after[f"contribution_{name}"] - before[f"contribution_{name}"]
    assert moved.to_numpy() == pytest.approx(constant, abs=1e-5)
    assert after["item_id"].tolist() == before["item_id"].tolist()
    assert after["main_source"].tolist() == before["main_source"].tolist()


def test_sentences_say_what_the_facts_are(world: World) -> None:
    data, targets, sources, hybrid, parameters = world
    histories = data.histories
    table = recommend_hybrid(hybrid, sources, data, targets.users, 10, parameters)
    titles = pd.Series([f"Title of {item}" for item in histories.item_ids])
    kinds = pd.Series(["even", "odd"] * 22)
    words = KeywordTable.of(titles + " " + kinds, kinds)
    behaviour = graph_of(sources["item_knn"].arrays, histories.n_items)
    descriptions = {name: f"evidence of {name}" for name in (*sources, *COMMON_EVIDENCE)}
    text = data.items.text_neighbours
    reasons = explain(table, histories, titles, words, behaviour, text, descriptions)
    matrix = histories.matrix().toarray() > 0
    index = {item: number for number, item in enumerate(histories.item_ids)}
    together = matrix.T.astype(int) @ matrix
    users = {user: number for number, user in enumerate(histories.user_ids)}
    for sentence, row, main in zip(
        reasons["sentence"], table.itertuples(), table["main_source"], strict=True
    ):
        user, item = users[row.user_id], index[row.item_id]
        assert not matrix[user, item]
        own = [index[name] for name in re.findall(r"'Title of (i\d+)'", sentence)]
        assert all(matrix[user, own])
        if chosen := re.search(r"People who chose 'Title of (i\d+)' also chose this", sentence):
            assert together[index[chosen[1]], item] > 0
        if similar := re.search(r"(?:imilar to|two are similar).*?\((.*?)\)", sentence):
            assert similar[1] == kinds[item] == kinds[own[-1]]
        stated = re.search(r"(?:Main reason:|Recommended because of) evidence of (\w+)\.", sentence)
        assert (stated[1] if stated else None) == (main if isinstance(main, str) else None)
