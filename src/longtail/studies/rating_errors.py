"""Errors of rating predictions, by group."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from longtail.behaviour.histories import Histories


def last_stars(interactions: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with the user's last rating of each item; rows without a rating are left out.

    Args:
        interactions: user_id, item_id, rating in the order of time.
    """
    rated = interactions.dropna(subset="rating")
    return rated.drop_duplicates(["user_id", "item_id"], keep="last")


def ratings_of(histories: Histories, stars: pd.DataFrame) -> NDArray[np.float32]:
    """Return (n,) stars of the interactions of the histories, NaN without any.

    Args:
        histories: past behaviour.
        stars: user_id, item_id, rating, every pair once.
    """
    pairs = pd.MultiIndex.from_frame(stars[["user_id", "item_id"]])
    own = pd.MultiIndex.from_arrays(
        [histories.user_ids[histories.users], histories.item_ids[histories.items]]
    )
    return pd.Series(stars["rating"].to_numpy(np.float32), pairs).reindex(own).to_numpy()


def rating_errors(
    predictions: Mapping[str, NDArray[np.floating]],
    actual: NDArray[np.floating],
    groups: Mapping[str, NDArray[np.bool_]],
) -> pd.DataFrame:
    """Return the errors of several predictors of the same ratings, by group.

    Args:
        predictions: (m,) stars by name of the predictor.
        actual: (m,) true stars.
        groups: (m,) masks by name of the group.

    Returns:
        model, group, rmse, mae (both in stars) and n_ratings; group ``all`` first, without empty
        groups.
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
