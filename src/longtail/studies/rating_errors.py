"""Stars before and after a moment, and the errors of their predictions, by group."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

_PAIR = ["user_id", "item_id"]


def held_out_from(
    user_ids: NDArray[np.object_], held_out: pd.DataFrame, common_start: float | None
) -> pd.Series:
    """Return the time from which each user's behaviour is held out, by user_id.

    Args:
        user_ids: (n_users,) users.
        held_out: user_id, timestamp of the held-out interactions.
        common_start: start of the held-out period of all users; None: each user's first held-out
            interaction, infinite for users without one.
    """
    if common_start is not None:
        return pd.Series(float(common_start), index=user_ids)
    first = held_out.groupby("user_id")["timestamp"].min().reindex(user_ids)
    return pd.Series(first.to_numpy(np.float64, na_value=np.inf), index=user_ids)


def split_stars(
    log: pd.DataFrame, known: pd.DataFrame, held_out: pd.DataFrame, ends: pd.Series
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Split all stars of a log, low ones included, at the time from which behaviour is held out.

    The last star within the past counts. Stars at or after a user's ``ends`` are later ones, except
    those of a known interaction itself, and so is the star of a held-out interaction of unknown
    time. Other stars of unknown time are of the past.

    Args:
        log: user_id, item_id, rating, timestamp; rows without a rating are left out.
        known: user_id, item_id, timestamp of the interactions of the past.
        held_out: user_id, item_id of the held-out interactions.
        ends: the time from which a user's behaviour is held out, by user_id; stars of other users
            are left out.

    Returns:
        The last star of each user-item pair in the past; the last later star of each pair that has
        none in the past.
    """
    rated = log[log["rating"].notna() & log["user_id"].isin(ends.index)]
    rated = rated.sort_values("timestamp", kind="stable", na_position="first")
    times = rated["timestamp"].to_numpy(np.float64, na_value=np.nan)
    pairs = pd.MultiIndex.from_frame(rated[_PAIR])
    first = known.set_index(_PAIR)["timestamp"].reindex(pairs).to_numpy(np.float64, na_value=np.nan)
    is_past = (times < rated["user_id"].map(ends).to_numpy(np.float64)) | (times == first)
    is_past |= np.isnan(times) & ~pairs.isin(pd.MultiIndex.from_frame(held_out[_PAIR]))
    past = rated[is_past].drop_duplicates(_PAIR, keep="last")
    later = rated[~is_past & ~pairs.isin(pd.MultiIndex.from_frame(past[_PAIR]))]
    return past, later.drop_duplicates(_PAIR, keep="last")


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
