"""Placing a user among fitted models without fitting them again."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from longtail.models.als import ALS
from longtail.models.base import Arrays, TrainingData
from longtail.models.candidates import FittedModel
from longtail.models.ials import IALS
from longtail.models.text_metric import TextMetric
from longtail.models.text_profile import TextProfile, user_profiles
from longtail.text.whitening import unit_length

# Arrays with one row a user; all others hold what was learned of the items.
USER_ARRAYS = ("user_factors", "user_profiles", "user_vectors")


def known_user(model: FittedModel, user: int) -> FittedModel:
    """Return the model with the row of one user that it was fitted on."""
    rows = {name: model.arrays[name][user : user + 1] for name in USER_ARRAYS & model.arrays.keys()}
    return FittedModel(model.recommender, model.arrays | rows)


def unknown_user(model: FittedModel, data: TrainingData) -> FittedModel:
    """Return the model with a row for a user that it was not fitted on.

    A model that reads nothing but the history stays as it is. Factors are the last half-step of
    alternating least squares. What no rule is known for becomes zeros, which say nothing.

    Args:
        model: fitted on other users.
        data: the new user's history as the only row; its item counts are those of the fit.
    """
    recommender, arrays = model.recommender, model.arrays
    rows: Arrays = {
        name: np.zeros((1, arrays[name].shape[1]), np.float32)
        for name in USER_ARRAYS & arrays.keys()
    }
    if isinstance(recommender, ALS):
        rows["user_factors"] = als_factors(recommender, arrays["item_factors"], data)
    elif isinstance(recommender, IALS):
        rows["user_factors"] = ials_factors(recommender, arrays["item_factors"], data)
    elif isinstance(recommender, TextProfile):
        rows["user_profiles"] = user_profiles(data, recommender.recency_decay)
    elif isinstance(recommender, TextMetric):
        profile = user_profiles(data, recommender.recency_decay)
        rows["user_vectors"] = unit_length(profile @ arrays["user_map"])
    return FittedModel(recommender, arrays | rows)


def als_factors(
    model: ALS, item_factors: NDArray[np.float32], data: TrainingData
) -> NDArray[np.float32]:
    """Return the (1, factors) solution of ``(Y'Y + Y'(C - I)Y + reg I) x = Y'C p``."""
    confidence = model.alpha * data.histories.weights
    own = item_factors[data.histories.items]
    penalty = np.full(item_factors.shape[1], model.regularization)
    gram = item_factors.T @ item_factors + (own.T * (confidence - 1)) @ own
    return _solve(gram, penalty, confidence @ own)


def ials_factors(
    model: IALS, item_factors: NDArray[np.float32], data: TrainingData
) -> NDArray[np.float32]:
    """Return the (1, factors) solution with the penalty scaled by the number of interactions.

    Items that nobody had were no part of the fit.
    """
    warm = item_factors[data.histories.item_counts() > 0]
    weights, own = data.histories.weights, item_factors[data.histories.items]
    frequency = len(weights) + model.unobserved_weight * len(warm)
    penalty = np.full(item_factors.shape[1], model.regularization * frequency)
    gram = model.unobserved_weight * (warm.T @ warm) + (own.T * weights) @ own
    return _solve(gram, penalty, weights @ own)


def _solve(
    gram: NDArray[Any], penalty: NDArray[np.float64], target: NDArray[Any]
) -> NDArray[np.float32]:
    solution = np.linalg.solve(gram.astype(np.float64) + np.diag(penalty), target)
    return solution[None].astype(np.float32)
