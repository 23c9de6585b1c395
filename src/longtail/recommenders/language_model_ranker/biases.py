"""Rating predictions from user and item biases alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from longtail.behaviour.histories import Histories

ITEM_SHRINKAGE = 25.0
USER_SHRINKAGE = 10.0


def bias_ratings(
    histories: Histories,
    ratings: NDArray[np.float32],
    users: NDArray[np.int64],
    items: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Predict ratings by mean, item bias and user bias: ``mu + b_i + b_u``.

    Each bias is a mean residual, shrunk towards 0 (Koren: Factor in the Neighbors, TKDD 2010,
    section 2.1).

    Args:
        histories: past behaviour.
        ratings: (n,) stars of the interactions, NaN where unknown.
        users: (m,) user indices of the pairs to predict.
        items: (m,) item indices of the pairs.

    Returns:
        (m,) stars; items and users without ratings have no bias.
    """
    known = np.isfinite(ratings)
    own_users, own_items = histories.users[known], histories.items[known]
    stars = ratings[known].astype(np.float64)
    mean = stars.mean()
    item_bias = _shrunken(own_items, stars - mean, histories.n_items, ITEM_SHRINKAGE)
    residual = stars - mean - item_bias[own_items]
    user_bias = _shrunken(own_users, residual, histories.n_users, USER_SHRINKAGE)
    predicted: NDArray[np.float64] = mean + item_bias[items] + user_bias[users]
    return predicted


def left_out_bias_ratings(
    histories: Histories, ratings: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Predict every rating as ``bias_ratings`` does from all others: mean and biases leave it out.

    Args:
        histories: past behaviour; each user-item pair once.
        ratings: (n,) stars of the interactions, NaN where unknown.

    Returns:
        (n,) stars, NaN where the rating is unknown; a single rating predicts itself.
    """
    known = np.isfinite(ratings)
    users, items = histories.users[known], histories.items[known]
    stars = ratings[known].astype(np.float64)
    predicted = np.full(len(ratings), np.nan)
    if len(stars) < 2:
        predicted[known] = stars
        return predicted
    mean = (stars.sum() - stars) / (len(stars) - 1)
    counts = np.bincount(items, minlength=histories.n_items)[items]
    sums = np.bincount(items, stars, histories.n_items)[items]
    item_bias = (sums - stars - (counts - 1) * mean) / (counts - 1 + ITEM_SHRINKAGE)
    # The residual of each rating of the user is residual - slope * mean: another rating's item bias
    # depends on the one left out by the mean alone.
    residual = stars - sums / (counts + ITEM_SHRINKAGE)
    slope = ITEM_SHRINKAGE / (counts + ITEM_SHRINKAGE)
    others = np.bincount(users, residual, histories.n_users)[users] - residual
    slopes = np.bincount(users, slope, histories.n_users)[users] - slope
    given = np.bincount(users, minlength=histories.n_users)[users]
    user_bias = (others - slopes * mean) / (given - 1 + USER_SHRINKAGE)
    predicted[known] = mean + item_bias + user_bias
    return predicted


def _shrunken(
    index: NDArray[np.int32], values: NDArray[np.float64], size: int, shrinkage: float
) -> NDArray[np.float64]:
    """Return (size,) means of the values by index, shrunk towards 0."""
    counts = np.bincount(index, minlength=size)
    return np.bincount(index, weights=values, minlength=size) / (counts + shrinkage)
