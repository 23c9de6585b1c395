import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.linear_model import Ridge

from longtail.arrays import unpack_sparse
from longtail.behaviour.histories import build_histories
from longtail.errors import NotApplicableError
from longtail.item_graphs.graphs import nearest_by_cosine
from longtail.recommenders.base import TrainingData
from longtail.recommenders.collaborative.ease import EASE, RecentEASE
from longtail.recommenders.content.text_knn import TfidfKNN
from longtail.recommenders.item_features import ItemFeatures
from longtail.recommenders.random_ranking import RandomRanking
from longtail.recommenders.recent_popularity import RecentPopularity

DAY = 86_400
START = 1_600_000_000


def training_data(
    *rows: tuple[str, str, float], tfidf_neighbours: sp.csr_array | None = None
) -> TrainingData:
    """Users u0..u3 and items a..e with the given (user, item, timestamp) rows."""
    table = pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"]).assign(weight=1.0)
    users = np.array([f"u{n}" for n in range(4)], dtype=object)
    histories = build_histories(table, users, np.array(list("abcde"), dtype=object))
    if tfidf_neighbours is None:
        return TrainingData(histories)
    return TrainingData(histories, ItemFeatures(tfidf_neighbours=tfidf_neighbours))


@pytest.fixture
def dated() -> TrainingData:
    """Ten days: a three times on the first day, b once on the last, c once in the middle."""
    rows = [(f"u{n}", "a", START) for n in range(3)]
    return training_data(*rows, ("u0", "b", START + 10 * DAY), ("u1", "c", START + 5 * DAY))


def test_random_ranking_is_the_same_in_every_block_and_differs_between_users(
    dated: TrainingData,
) -> None:
    model = RandomRanking()
    arrays = model.fit(dated)
    together = model.score(arrays, dated, np.arange(4))
    for user in range(4):
        np.testing.assert_array_equal(
            model.score(arrays, dated, np.array([user]))[0], together[user]
        )
    assert len(np.unique(together)) == together.size
    assert ((together >= 0) & (together < 1)).all()


def test_random_ranking_is_uniform_and_follows_the_seed(dated: TrainingData) -> None:
    model = RandomRanking()
    users = np.arange(20_000)
    scores = model.score(model.fit(dated), dated, users)
    other = model.score({"seed": np.array([7])}, dated, users)
    assert scores.mean() == pytest.approx(0.5, abs=0.005)
    assert scores.std() == pytest.approx(12**-0.5, abs=0.005)
    assert abs(np.corrcoef(scores[:, 0], scores[:, 1])[0, 1]) < 0.03
    assert abs(np.corrcoef(scores[:, 0], other[:, 0])[0, 1]) < 0.03


def test_recent_popularity_by_hand(dated: TrainingData) -> None:
    model = RecentPopularity(half_life=0.5)
    scores = model.score(model.fit(dated), dated, np.array([3]))
    # Ages are 1, 0 and half of the span, that is 2, 0 and 1 half-lives.
    np.testing.assert_allclose(scores, [[3 / 4, 1, 1 / 2, 0, 0]])


def test_an_interaction_of_unknown_time_counts_as_the_oldest() -> None:
    data = training_data(("u0", "a", START), ("u1", "b", np.nan), ("u2", "c", START + DAY))
    scores = RecentPopularity(half_life=1.0).fit(data)["item_scores"]
    np.testing.assert_allclose(scores, [1 / 2, 1 / 2, 1, 0, 0])


@pytest.mark.parametrize("times", [(0, 1, 2), (np.nan, np.nan, np.nan)])
def test_recent_popularity_without_calendar_time_is_popularity(times: tuple[float, ...]) -> None:
    items = ("a", "a", "b")
    rows = [(f"u{n}", items[n], time) for n, time in enumerate(times)]
    np.testing.assert_array_equal(
        RecentPopularity().fit(training_data(*rows))["item_scores"], [2, 1, 0, 0, 0]
    )


def test_ease_by_hand() -> None:
    data = training_data(("u0", "a", 1), ("u0", "b", 2), ("u1", "a", 1))
    arrays = EASE(regularization=1.0).fit(data)
    # G + I = [[3, 1], [1, 2]], P = [[2, -1], [-1, 3]] / 5: B_ab = 1/3, B_ba = 1/2.
    np.testing.assert_array_equal(arrays["warm"], [0, 1])
    np.testing.assert_allclose(arrays["weights"], [[0, 1 / 3], [1 / 2, 0]], rtol=1e-6)
    scores = EASE().score(arrays, data, np.array([0, 1, 2]))
    expected = [[1 / 2, 1 / 3, 0, 0, 0], [0, 1 / 3, 0, 0, 0], [0, 0, 0, 0, 0]]
    np.testing.assert_allclose(scores, expected, rtol=1e-6)


def test_recent_ease_halves_the_weight_of_the_older_item() -> None:
    data = training_data(("u0", "a", 1), ("u0", "b", 2), ("u1", "a", 1))
    model = RecentEASE(regularization=1.0, recency_decay=0.5)
    scores = model.score(model.fit(data), data, np.array([0]))
    np.testing.assert_allclose(scores, [[1 / 2, 1 / 6, 0, 0, 0]], rtol=1e-6)


def test_ease_is_a_ridge_regression_of_each_item_on_the_others() -> None:
    rng = np.random.default_rng(3)
    held = rng.random((4, 5)) < 0.6
    held[0] = True
    rows = [(f"u{user}", "abcde"[item], 1) for user, item in np.argwhere(held)]
    weights = EASE(regularization=2.0).fit(training_data(*rows))["weights"]
    for item in range(5):
        others = np.arange(5) != item
        ridge = Ridge(alpha=2.0, fit_intercept=False)
        ridge.fit(held[:, others].astype(float), held[:, item].astype(float))
        np.testing.assert_allclose(weights[others, item], ridge.coef_, atol=1e-5)


def test_ease_is_left_out_for_a_large_catalogue(dated: TrainingData) -> None:
    with pytest.raises(NotApplicableError, match=r"3 items have interactions.*limit of 2"):
        EASE(max_items=2).fit(dated)


def test_ease_is_sparse_for_a_large_catalogue(dated: TrainingData) -> None:
    weights = unpack_sparse("weights", EASE(exact_up_to=2).fit(dated))
    # b and c never occur together, so that they have no weight for each other.
    np.testing.assert_array_equal(weights.toarray() != 0, [[0, 1, 1], [1, 0, 0], [1, 0, 0]])
    np.testing.assert_allclose(weights.toarray(), EASE().fit(dated)["weights"], atol=3e-5)


def test_tfidf_neighbours_by_hand() -> None:
    # a and b are alike, c and d at right angles to them, e has no text.
    vectors = np.array([[1, 0], [0.8, 0.6], [0, 1], [0, -1], [0, 0]], dtype=np.float32)
    neighbours = nearest_by_cosine(vectors, 4)
    data = training_data(("u0", "a", 1), tfidf_neighbours=neighbours)
    model = TfidfKNN(neighbours=4, sharpness=2.0, recency_decay=1.0)
    scores = model.score(model.fit(data), data, np.array([0, 1]))
    np.testing.assert_allclose(scores, [[0, 0.64, 0, 0, 0], [0, 0, 0, 0, 0]], atol=1e-6)
