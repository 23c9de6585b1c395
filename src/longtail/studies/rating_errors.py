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
        interactions: user_id, item_id, rating, timestamp, of the whole log.
    """
    return _rated(interactions).drop_duplicates(["user_id", "item_id"], keep="last")


def held_out_from(
    histories: Histories, test: pd.DataFrame, common_start: float | None
) -> NDArray[np.float64]:
    """Return (n_users,) the time from which each user's behaviour is held out.

    Args:
        histories: past behaviour.
        test: user_id, timestamp of the test interactions.
        common_start: start of the test period of all users; None: each user's first test
            interaction, infinite for users without one.
    """
    if common_start is not None:
        return np.full(histories.n_users, float(common_start))
    first = test.groupby("user_id")["timestamp"].min().reindex(histories.user_ids)
    return first.to_numpy(np.float64, na_value=np.inf)


def ratings_of(
    histories: Histories, interactions: pd.DataFrame, ends: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Return (n,) the last stars within the past of the interactions of the histories, or NaN.

    Stars that a user gave at or after the start of the test do not count, except those of the
    interaction itself. Stars of unknown time count.

    Args:
        histories: past behaviour.
        interactions: user_id, item_id, rating, timestamp, of the whole log.
        ends: (n_users,) the time from which each user's behaviour is held out.
    """
    rated = _rated(interactions)
    users = pd.Index(histories.user_ids).get_indexer(pd.Index(rated["user_id"]))
    items = pd.Index(histories.item_ids).get_indexer(pd.Index(rated["item_id"]))
    own = pd.MultiIndex.from_arrays([histories.users, histories.items])
    place = own.get_indexer(pd.MultiIndex.from_arrays([users, items]))
    times = rated["timestamp"].to_numpy(np.float64, na_value=np.nan)
    is_first = times == np.append(histories.timestamps, np.nan)[place]
    is_past = (place >= 0) & (np.isnan(times) | (times < ends[users]) | is_first)
    stars = pd.Series(rated["rating"].to_numpy(np.float32)[is_past], place[is_past])
    last = stars[~stars.index.duplicated(keep="last")]
    return last.reindex(np.arange(len(histories.users))).to_numpy()


def _rated(interactions: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with a rating in the order of time, those of unknown time first."""
    rated = interactions.dropna(subset="rating")
    return rated.sort_values("timestamp", kind="stable", na_position="first")


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
