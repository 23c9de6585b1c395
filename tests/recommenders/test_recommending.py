import numpy as np
import pytest
import scipy.sparse as sp
from tests.recommenders.worlds import taste_world, tiny_data

from longtail.item_graphs.graphs import nearest_by_cosine
from longtail.recommenders.base import TrainingData
from longtail.recommenders.collaborative.als import ALS
from longtail.recommenders.collaborative.ials import IALS
from longtail.recommenders.collaborative.item_knn import ItemKNN, RecentItemKNN
from longtail.recommenders.content.feature_ials import FeatureIALS
from longtail.recommenders.content.text_knn import TextKNN
from longtail.recommenders.content.text_metric import TextMetric
from longtail.recommenders.content.text_profile import TextProfile
from longtail.recommenders.lists import recommend
from longtail.recommenders.popularity import Popularity
from longtail.top_k import rank_unseen, top_items

USERS = np.arange(3)


def test_rank_unseen_leaves_out_what_the_user_has() -> None:
    scores = np.array([[3, 2, 1], [1, 1, 1]], dtype=np.float32)
    seen = sp.csr_array(np.array([[1, 0, 0], [0, 0, 0]]))
    items, ranked = rank_unseen(scores, seen, 3)
    assert items[0, :2].tolist() == [1, 2]
    assert ranked[0, 2] == -np.inf
    assert items[1].tolist() == [0, 1, 2]


def test_popularity_counts_users() -> None:
    data = tiny_data()
    arrays = Popularity().fit(data)
    assert arrays["item_scores"].tolist() == [2, 2, 1, 0]


def test_new_user_is_offered_the_most_popular_items() -> None:
    data = tiny_data()
    table = recommend(ALS(factors=2), ALS(factors=2).fit(data), data, np.array([2]), k=2)
    assert table["item_id"].tolist() == ["a", "b"]
    assert table["rank"].tolist() == [1, 2]


def test_user_who_has_everything_gets_nothing() -> None:
    data = taste_world(n_users=3, n_items=4, share=1.0)
    table = recommend(Popularity(), Popularity().fit(data), data, np.arange(3), k=2)
    assert table.empty


def test_item_knn_scores_by_hand() -> None:
    data = tiny_data()
    model = ItemKNN(shrinkage=0.0, neighbours=10)
    scores = model.score(model.fit(data), data, USERS)
    # Both users have a; b and c are each shared with one user of a.
    assert scores[0].tolist() == pytest.approx([1.0, 1.0, 2**-0.5 * 2, 0], abs=1e-6)


def test_recency_decay_prefers_the_neighbours_of_the_latest_item() -> None:
    data = tiny_data()
    flat = RecentItemKNN(recency_decay=1.0, shrinkage=0.0)
    recent = RecentItemKNN(recency_decay=0.1, shrinkage=0.0)
    flat_scores = flat.score(flat.fit(data), data, USERS)
    recent_scores = recent.score(recent.fit(data), data, USERS)
    # u1 had b before a: what b speaks for counts a tenth, what a speaks for counts in full.
    assert recent_scores[0, 0] == pytest.approx(0.1 * flat_scores[0, 0])
    assert recent_scores[0, 1] == pytest.approx(flat_scores[0, 1])


def test_text_models_reach_a_new_item() -> None:
    data = tiny_data()
    for model in (TextKNN(sharpness=1.0), TextProfile(recency_decay=1.0)):
        scores = model.score(model.fit(data), data, USERS)
        assert scores[1, 3] > scores[0, 3]


@pytest.mark.parametrize("model", [ALS(factors=4), IALS(factors=4), FeatureIALS(factors=4)])
def test_factor_models_find_the_taste(model: ALS | IALS) -> None:
    data = taste_world(n_users=60, n_items=20, share=0.5)
    scores = model.score(model.fit(data), data, np.arange(60))
    own = np.arange(60)[:, None] % 2 == np.arange(20)[None, :] % 2
    assert scores[own].mean() > scores[~own].mean() + 0.1


@pytest.mark.parametrize("model", [ALS(factors=4), IALS(factors=4), FeatureIALS(factors=4)])
def test_factor_models_repeat_exactly(model: ALS | IALS) -> None:
    data = taste_world(n_users=30, n_items=10, share=0.5)
    first, second = model.fit(data), model.fit(data)
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_feature_ials_places_a_new_item_by_its_text() -> None:
    data = taste_world(n_users=60, n_items=20, share=0.5, new_items=2)
    model = FeatureIALS(factors=4)
    scores = model.score(model.fit(data), data, np.arange(60))
    assert scores[0::2, 20].mean() > scores[1::2, 20].mean()
    assert scores[1::2, 21].mean() > scores[0::2, 21].mean()


def test_text_metric_finds_the_taste_and_the_new_items_of_it() -> None:
    data = taste_world(n_users=60, n_items=20, share=0.5, new_items=2)
    model = TextMetric(batch_size=128)
    arrays = model.fit(data)
    scores = model.score(arrays, data, np.arange(60))
    own = np.arange(60)[:, None] % 2 == np.arange(22)[None, :] % 2
    assert scores[own].min() > scores[~own].max()
    again = model.fit(data)
    assert all(np.array_equal(arrays[name], again[name]) for name in arrays)


def test_graph_of_text_is_that_of_the_vectors() -> None:
    data: TrainingData = tiny_data()
    assert (data.items.text_neighbours != nearest_by_cosine(data.items.vectors, 100)).nnz == 0


def test_equal_scores_go_to_the_lower_index_at_the_end_of_the_list_too() -> None:
    random = np.random.default_rng(0)
    scores = random.integers(0, 4, (50, 300)).astype(np.float32)
    scores[3] = -np.inf
    scores[4, 5:] = -np.inf
    scores[5] = np.where(random.random(300) < 0.05, 1.0, 0.0)
    ranked = np.lexsort((np.broadcast_to(np.arange(300), scores.shape), -scores), axis=1)
    for k in (1, 7, 60, 299, 300, 400):
        assert np.array_equal(top_items(scores, k), ranked[:, :k])
