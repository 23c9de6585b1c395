"""How well stars are predicted, beside what users and items explain by their means alone."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
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

    Koren: Factor in the Neighbors, TKDD 2010, section 2.1: each bias is a mean of what is left,
    shrunken by a number of ratings of bias 0.

    Args:
        histories: past behaviour.
        ratings: (n,) stars of its interactions, NaN where unknown.
        users: (m,) whose ratings are predicted.
        items: (m,) of what.

    Returns:
        (m,) stars; an unknown item or user has no bias.
    """
    known = np.isfinite(ratings)
    own_users, own_items = histories.users[known], histories.items[known]
    stars = ratings[known].astype(np.float64)
    mean = stars.mean()
    item_bias = _shrunken(own_items, stars - mean, histories.n_items, ITEM_SHRINKAGE)
    left = stars - mean - item_bias[own_items]
    user_bias = _shrunken(own_users, left, histories.n_users, USER_SHRINKAGE)
    return mean + item_bias[items] + user_bias[users]


def rating_errors(
    predictions: Mapping[str, NDArray[np.floating]],
    actual: NDArray[np.floating],
    groups: Mapping[str, NDArray[np.bool_]],
) -> pd.DataFrame:
    """Return the errors of several predictors of the same ratings, by group of ratings.

    Args:
        predictions: (m,) stars by name of the predictor.
        actual: (m,) stars.
        groups: (m,) masks by name, of item groups or user groups.

    Returns:
        model, group, rmse, mae (stars) and n_ratings; the group ``all`` first, empty groups left
        out.
    """
    masks = {"all": np.ones(len(actual), dtype=bool), **groups}
    rows = []
    for model, predicted in predictions.items():
        error = predicted.astype(np.float64) - actual
        for group, mask in masks.items():
            if mask.any():
                rmse, mae = np.sqrt((error[mask] ** 2).mean()), np.abs(error[mask]).mean()
                rows.append((model, group, float(rmse), float(mae), int(mask.sum())))
    return pd.DataFrame(rows, columns=["model", "group", "rmse", "mae", "n_ratings"])


def _shrunken(
    index: NDArray[np.int32], values: NDArray[np.float64], size: int, shrinkage: float
) -> NDArray[np.float64]:
    """Return (size,) sums of values divided by their counts and the shrinkage."""
    counts = np.bincount(index, minlength=size)
    return np.bincount(index, values, minlength=size) / (counts + shrinkage)
