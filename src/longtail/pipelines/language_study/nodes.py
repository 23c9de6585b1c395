"""Nodes of the language study: what compression costs, and how well stars are predicted."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from longtail.metrics.leaderboard import Row
from longtail.models.compression import compression_table
from longtail.models.language_model_ranker import LanguageModelRanker
from longtail.models.rating_quality import bias_ratings, rating_errors
from longtail.models.tuning import TuningParameters
from longtail.pipelines.recommenders import targets_of, training_data
from longtail.reporting import terminal

logger = logging.getLogger(__name__)


def compress_vectors(tuning: TuningParameters, **tables: Any) -> list[Row]:
    """Return what each way to make the item vectors smaller costs in quality, bytes and time."""
    data = training_data(**tables, seed=tuning.seed, with_validation=False)
    targets = targets_of(data.histories, tables, tuning)
    return _records(compression_table(data, targets, tuning.k))


def study_ratings(
    ranker: LanguageModelRanker,
    tuning: TuningParameters,
    test: pd.DataFrame,
    ratings: pd.DataFrame,
    **tables: Any,
) -> list[Row]:
    """Return how well a fine-tuned language model predicts the stars of the test interactions.

    Beside it stands what the means of users and items alone predict; no rows without stars.
    """
    data = training_data(**tables, seed=tuning.seed, with_validation=True, ratings=ratings)
    groups = tables["item_groups"].set_index("item_id")["item_group"]
    kinds = tables["user_groups"].set_index("user_id")["user_group"]
    rated = test[["user_id", "item_id"]].merge(
        ratings.dropna(subset="rating").drop_duplicates(["user_id", "item_id"], keep="last"),
        on=["user_id", "item_id"],
    )
    rated = rated[rated["user_id"].map(kinds) != "new"]
    if rated.empty or not np.isfinite(data.ratings).any():
        logger.info("There are no stars to predict: no interaction has a rating.")
        return []
    users = pd.Index(data.histories.user_ids).get_indexer(pd.Index(rated["user_id"]))
    items = pd.Index(data.histories.item_ids).get_indexer(pd.Index(rated["item_id"]))
    model = ranker.model_copy(update={"task": "rating"})
    predictions: dict[str, NDArray[np.floating]] = {
        "bias_only": bias_ratings(data.histories, data.ratings, users, items),
        "language_model": model.predict_ratings(model.fit(data), data, users, items),
    }
    masks = {str(g): (rated["item_id"].map(groups) == g).to_numpy() for g in groups.unique()}
    masks |= {str(g): (rated["user_id"].map(kinds) == g).to_numpy() for g in kinds.unique()}
    actual = rated["rating"].to_numpy(dtype=np.float64)
    return _records(rating_errors(predictions, actual, masks))


def show_language_study(compression: list[Row], rating_quality: list[Row]) -> None:
    """Print both tables to the terminal."""
    terminal.print_rows("What compression costs", compression)
    terminal.print_rows("Errors of predicted stars", rating_quality)


def _records(table: pd.DataFrame) -> list[Row]:
    return [
        {str(name): value for name, value in row.items()}
        for row in table.astype(object).to_dict("records")
    ]
