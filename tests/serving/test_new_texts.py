"""New items and requests, of which the served hybrid knows only the text."""

from pathlib import Path

import numpy as np
import pytest

from longtail.errors import UserError
from longtail.project import open_catalog
from longtail.serving.hybrid import ServedHybrid
from longtail.serving.storage import load_hybrid, save_hybrid
from longtail.tracking.model_registry import served_hybrid


@pytest.fixture
def served(finished_project: Path) -> ServedHybrid:  # noqa: ARG001
    return served_hybrid(open_catalog(env="test"))


def test_a_text_gets_the_vector_of_the_item_that_has_it(served: ServedHybrid) -> None:
    vectors, frozen = served.text_map.vectors(served.items["text"].tolist())
    assert vectors == pytest.approx(served.item_vectors, abs=1e-3)
    assert frozen == pytest.approx(served.frozen_vectors, abs=1e-3)


def test_new_texts_get_adapted_vectors(served: ServedHybrid) -> None:
    """Also if the run chose the frozen vectors."""
    adapted = open_catalog(env="test").load("adapted_vectors")
    text_map = type(served.text_map)(served.text_map.encoder, served.text_map.language, adapted)
    vectors, _ = text_map.vectors(served.items["text"].tolist())
    assert vectors == pytest.approx(adapted["vectors"], abs=1e-3)


def test_a_text_that_is_empty_has_no_vector(served: ServedHybrid) -> None:
    vectors, frozen = served.text_map.vectors(["", "rocket"])
    assert not vectors[0].any()
    assert not frozen[0].any()
    assert vectors[1].any()


def test_a_new_item_stands_beside_a_cold_one_with_the_same_text(served: ServedHybrid) -> None:
    counts = served.histories.item_counts()
    cold = int(np.flatnonzero(counts == 0)[0])
    larger = served.with_items({"twin": served.items["text"][cold]})
    assert larger.items["title"].tolist()[-1] == served.items["text"][cold].partition(". ")[0]
    user = np.array([0])
    for name, model in larger.sources.items():
        if name != "tfidf_knn":
            scores = model.recommender.score(model.arrays, larger.data, user)[0]
            # The twin and the cold item see each other, other items see both.
            assert scores[-1] == pytest.approx(scores[cold], abs=1e-2), name


def test_scores_of_the_catalogue_stay_as_they_are(served: ServedHybrid) -> None:
    larger = served.with_items({"new": "nothing like it"})
    n_items, users = len(served.items), np.arange(5)
    for name, model in served.sources.items():
        before = model.recommender.score(model.arrays, served.data, users)
        more = larger.sources[name]
        after = more.recommender.score(more.arrays, larger.data, users)
        assert after.shape == (5, n_items + 1)
        assert after[:, :n_items] == pytest.approx(before, abs=1e-5), name


def test_a_request_is_answered_by_similar_items(served: ServedHybrid) -> None:
    text = served.items["text"][3]
    answer = served.recommend(text=text, k=100)
    assert "" not in set(answer["item_id"])
    # Those that a source of text speaks for are explained by the sentence.
    explained = answer["reason"].str.contains(f"atches your request '{text.partition('. ')[0]}'")
    near = served.text_graph[[3]].indices
    assert set(answer["item_id"][explained]) & set(served.items["item_id"].iloc[near])
    other = served.recommend(text=served.items["text"][50], k=100)
    assert answer["item_id"].tolist() != other["item_id"].tolist()


def test_a_request_counts_as_the_latest_item_of_a_known_user(served: ServedHybrid) -> None:
    user = str(served.histories.user_ids[0])
    own = served.histories.item_ids[served.histories.items[served.histories.users == 0]]
    answer = served.recommend(user_id=user, text=served.items["text"][3], k=200)
    assert not set(answer["item_id"]) & set(own)
    assert set(answer["item_id"]) <= set(served.items["item_id"])


def test_new_items_are_ranked_with_the_others(served: ServedHybrid) -> None:
    user = str(served.histories.user_ids[0])
    answer = served.recommend(user_id=user, k=300, new_items={"new": served.items["text"][0]})
    assert "new" in set(answer["item_id"])
    assert answer["score"].is_monotonic_decreasing
    with pytest.raises(UserError, match="in the catalogue already: i003"):
        served.recommend(user_id=user, new_items={"i003": "again"})


def test_a_saved_hybrid_gives_the_same_list_for_a_text(
    served: ServedHybrid, tmp_path: Path
) -> None:
    save_hybrid(served, tmp_path)
    again = load_hybrid(tmp_path)
    assert Path(again.text_map.encoder.model) == tmp_path / "encoder"
    first, second = (hybrid.recommend(text="rocket", k=5) for hybrid in (served, again))
    assert first.equals(second)
