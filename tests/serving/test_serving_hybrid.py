"""One user alone is scored as the fit among all users scored that user."""

from dataclasses import replace

import numpy as np
import pytest
from tests.models.worlds import taste_world

from longtail.models.als import ALS
from longtail.models.base import Recommender, TrainingData
from longtail.models.candidates import FittedModel
from longtail.models.ials import IALS, FeatureIALS
from longtail.models.neighbours import ItemKNN
from longtail.models.text_metric import TextMetric
from longtail.models.text_profile import TextProfile
from longtail.serving.hybrid import OneHistory, known_user, unknown_user

USER = 5


@pytest.fixture(scope="module")
def data() -> TrainingData:
    return taste_world(n_users=60, n_items=20, share=0.5, new_items=2)


@pytest.fixture(scope="module")
def alone(data: TrainingData) -> TrainingData:
    """The same world seen by one user only."""
    histories = data.histories
    own = histories.users == USER
    history = OneHistory(
        user_ids=np.array(["somebody"], dtype=object),
        item_ids=histories.item_ids,
        users=np.zeros(own.sum(), np.int32),
        items=histories.items[own],
        weights=histories.weights[own],
        timestamps=histories.timestamps[own],
        counts=histories.item_counts(),
        recents=histories.recent_counts(0.1),
        ordered=histories.has_order,
    )
    return replace(data, histories=history)


@pytest.mark.parametrize(
    "recommender",
    [
        ALS(factors=4, regularization=1.0, iterations=200),
        IALS(factors=4, epochs=200),
        FeatureIALS(factors=4, epochs=200),
        TextProfile(),
        TextMetric(dimensions=8),
        ItemKNN(),
    ],
    ids=lambda recommender: type(recommender).__name__,
)
def test_scores_are_those_of_the_fit(
    recommender: Recommender, data: TrainingData, alone: TrainingData
) -> None:
    fitted = FittedModel(recommender, recommender.fit(data))
    expected = recommender.score(fitted.arrays, data, np.array([USER]))

    for model in (known_user(fitted, USER), unknown_user(fitted, alone)):
        scores = recommender.score(model.arrays, alone, np.array([0]))
        np.testing.assert_allclose(scores, expected, atol=0.02 * np.abs(expected).max())
