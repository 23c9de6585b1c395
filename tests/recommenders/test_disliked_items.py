"""What a user dislikes is in no list of any model."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from tests.recommenders.worlds import taste_world, tiny_data

from longtail.arrays import unpack_sparse
from longtail.behaviour.histories import Histories
from longtail.hybrid.candidates import find_candidates
from longtail.recommenders.base import TrainingData
from longtail.recommenders.collaborative.item_knn import ItemKNN
from longtail.recommenders.fitted_model import FittedModel
from longtail.recommenders.lists import recommend
from longtail.recommenders.popularity import Popularity
from longtail.recommenders.validation import ValidationTargets, validation_ndcg
from longtail.serving.histories import HistoryLookup

USERS = np.arange(3)


def disliking(data: TrainingData, *pairs: tuple[int, int]) -> TrainingData:
    """Return the data with dislikes, pairs of user and item in ascending order."""
    users, items = np.array(pairs, dtype=np.int32).T
    dislikes = {"disliked_users": users, "disliked_items": items}
    return replace(data, histories=replace(data.histories, **dislikes))


@pytest.fixture
def data() -> TrainingData:
    """u1 has b and a and dislikes c; u2 has a, b, c; u3 has nothing and dislikes a and d."""
    return disliking(tiny_data(), (0, 2), (2, 0), (2, 3))


def test_rows_hold_what_users_have_or_dislike(data: TrainingData) -> None:
    histories = data.histories
    disliked = histories.dislikes(np.array([2, 0])).toarray()
    assert disliked.tolist() == [[1, 0, 0, 1], [0, 0, 1, 0]]
    unlisted = histories.unlisted(USERS).toarray() > 0
    assert unlisted.tolist() == [[1, 1, 1, 0], [1, 1, 1, 0], [1, 0, 0, 1]]
    assert histories.history_lengths().tolist() == [2, 3, 0]


def test_dislikes_are_stored(data: TrainingData) -> None:
    again = Histories.from_arrays(data.histories.to_arrays())
    assert again.disliked_users.tolist() == [0, 2, 2]
    assert again.disliked_items.tolist() == [2, 0, 3]


def test_single_models_do_not_list_them(data: TrainingData) -> None:
    model = Popularity()
    table = recommend(model, model.fit(data), data, USERS, k=4)
    lists = table.groupby("user_id")["item_id"].agg(list).to_dict()
    assert lists == {"u1": ["d"], "u2": ["d"], "u3": ["b", "c"]}


def test_they_are_no_candidates_of_the_hybrid(data: TrainingData) -> None:
    model = ItemKNN()
    source = {"item_knn": FittedModel(model, model.fit(data))}
    popular = [data.histories.item_counts().astype(np.float32)]
    found = find_candidates(source, data, USERS, per_source=4, common=popular)
    items = [
        found.items[a:b].tolist() for a, b in zip(found.indptr, found.indptr[1:], strict=False)
    ]
    assert items == [[3], [3], [1, 2]]


def test_validation_ranks_the_same_candidates() -> None:
    """User 0 has a held-out item, which stands first once what it dislikes is left out."""
    data = taste_world(n_users=4, n_items=6, share=0.5)
    owned = data.histories.matrix().toarray()[0] > 0
    first, second, *_ = np.argsort(-(data.histories.item_counts() - 100 * owned), kind="stable")
    relevant = np.zeros((1, 6))
    relevant[0, second] = 1
    targets = ValidationTargets(np.array([0]), sp.csr_array(relevant))
    model = Popularity()
    arrays = model.fit(data)
    assert validation_ndcg(model, arrays, data, targets, k=3) < 1
    without = disliking(data, (0, int(first)))
    assert validation_ndcg(model, arrays, without, targets, k=3) == 1


def test_a_served_user_keeps_dislikes_beside_other_items(data: TrainingData) -> None:
    lookup = HistoryLookup(data.histories)
    assert lookup.of_user(2).disliked_items.tolist() == [0, 3]
    assert lookup.of_user(1).disliked_items.tolist() == []
    assert lookup.of_items(["a"], "u3").disliked_items.tolist() == [3]
    assert lookup.of_items(["a"]).disliked_items.tolist() == []
    assert lookup.of_items(["a"], "unknown").disliked_items.tolist() == []


def test_neighbours_of_disliked_items_lose_by_hand(data: TrainingData) -> None:
    """Item c is disliked by u1, and a and b are its neighbours."""
    plain, with_dislikes = ItemKNN(shrinkage=0.0), ItemKNN(shrinkage=0.0, dislike_weight=0.5)
    arrays = plain.fit(data)
    graph = unpack_sparse("graph", arrays).toarray()
    scores = plain.score(arrays, data, USERS)
    lowered = with_dislikes.score(arrays, data, USERS)
    np.testing.assert_allclose(lowered[0], scores[0] - 0.5 * graph[2], rtol=1e-6)
    assert lowered[0, 0] < scores[0, 0]
    np.testing.assert_array_equal(lowered[1], scores[1])


def test_the_weight_of_dislikes_is_searched_only_where_there_are_any(data: TrainingData) -> None:
    assert "dislike_weight" in ItemKNN.space_for(data)
    assert ItemKNN.space_for(tiny_data()).keys() == {"shrinkage", "neighbours"}
