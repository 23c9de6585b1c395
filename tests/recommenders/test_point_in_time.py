"""Nothing that a user is shown depends on when others did something, unless one cut-off holds."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from tests.recommenders.worlds import taste_world

from longtail.behaviour.histories import Histories, build_histories
from longtail.hybrid.candidates import propose
from longtail.hybrid.features import candidate_lists
from longtail.hybrid.parameters import HybridParameters
from longtail.recommenders.base import Recommender, TrainingData
from longtail.recommenders.content.text_knn import TextKNN
from longtail.recommenders.fitted_model import FittedModel
from longtail.recommenders.neural.cluster_attention import ClusterAttention
from longtail.recommenders.neural.interest_network import InterestNetwork
from longtail.recommenders.recent_popularity import RecentPopularity

DAY = 86_400.0
USER = 0
PARAMETERS = HybridParameters(sources=("text_knn",), candidates_per_source=5)
NETWORK = {"epochs": 1, "batch_size": 64, "validation_users": 0}


def world(later: float, common_cutoff: bool) -> TrainingData:
    """User 0 stops on day 1,000; all others began before, and may end ``later`` seconds later."""
    data = taste_world(n_users=20, n_items=400, share=0.05)
    histories = data.histories
    times = histories.timestamps - histories.timestamps.min() + 1_000_000_000
    own = histories.users == USER
    last_of_others = np.append(histories.users[1:] != histories.users[:-1], True) & ~own
    times = times + 1000 * DAY * own + later * last_of_others
    moved = replace(histories, timestamps=times, common_cutoff=common_cutoff)
    return replace(data, histories=moved)


@pytest.fixture(scope="module")
def before() -> TrainingData:
    return world(0, common_cutoff=False)


@pytest.fixture(scope="module")
def after() -> TrainingData:
    return world(2000 * DAY, common_cutoff=False)


@pytest.mark.parametrize(
    "recommender",
    [
        RecentPopularity(),
        InterestNetwork(**NETWORK, hidden=4),
        ClusterAttention(**NETWORK, dimensions=4, clusters=2),
    ],
    ids=lambda recommender: type(recommender).__name__,
)
def test_what_others_did_after_a_users_last_interaction_changes_no_score(
    recommender: Recommender, before: TrainingData, after: TrainingData
) -> None:
    scores = [recommender.score(recommender.fit(d), d, np.array([USER])) for d in (before, after)]
    np.testing.assert_array_equal(*scores)


def hybrid_lists(data: TrainingData) -> tuple[np.ndarray, np.ndarray]:
    """Return the candidates of the user and their features."""
    model = TextKNN()
    sources = {"text_knn": FittedModel(model, model.fit(data))}
    candidates = propose(sources, data, np.array([USER]), PARAMETERS)
    return candidates.items, candidate_lists(candidates, data.histories, PARAMETERS).features


def test_what_others_did_after_a_users_last_interaction_changes_no_candidate_and_no_feature(
    before: TrainingData, after: TrainingData
) -> None:
    for found in zip(hybrid_lists(before), hybrid_lists(after), strict=True):
        np.testing.assert_array_equal(*found)


def test_with_one_cutoff_for_all_the_recent_interactions_count() -> None:
    """The same move in time is seen where it lies before the common cut-off."""
    before, after = (world(later, common_cutoff=True) for later in (0, 2000 * DAY))
    features = [hybrid_lists(data)[1] for data in (before, after)]
    assert features[0].shape != features[1].shape or not np.array_equal(*features)
    model = RecentPopularity()
    assert not np.array_equal(model.fit(before)["item_scores"], model.fit(after)["item_scores"])


def test_the_cutoff_is_stored_with_the_histories(before: TrainingData) -> None:
    for common in (True, False):
        histories = replace(before.histories, common_cutoff=common)
        assert Histories.from_arrays(histories.to_arrays()).common_cutoff is common


def test_histories_of_other_users_follow_the_cutoff_of_the_training(before: TrainingData) -> None:
    table = pd.DataFrame(
        {"user_id": ["x"], "item_id": ["i000"], "timestamp": [2_000_000_000], "weight": [1.0]}
    )
    items = before.histories.item_ids
    user = np.array(["x"], dtype=object)
    newcomer = build_histories(table, user, items, reference=before.histories)
    assert not newcomer.has_time_windows
    known = replace(before.histories, common_cutoff=True)
    assert build_histories(table, user, items, reference=known).has_time_windows


@pytest.mark.parametrize(
    "recommender",
    [
        InterestNetwork(**NETWORK, hidden=4),
        ClusterAttention(**NETWORK, dimensions=4, clusters=2),
    ],
    ids=lambda recommender: type(recommender).__name__,
)
def test_without_an_order_the_rows_of_a_history_are_no_sequence(recommender: Recommender) -> None:
    data = taste_world(n_users=20, n_items=40, share=0.5)
    histories = replace(data.histories, timestamps=np.full(len(data.histories.users), np.nan))
    backwards = np.lexsort((-np.arange(len(histories.users)), histories.users))
    turned = replace(
        histories, items=histories.items[backwards], weights=histories.weights[backwards]
    )
    arrays = recommender.fit(replace(data, histories=histories))
    scores = [
        recommender.score(arrays, replace(data, histories=h), np.arange(20))
        for h in (histories, turned)
    ]
    np.testing.assert_allclose(*scores, rtol=1e-4, atol=1e-5)
