"""The three steps of every recommender: tune on validation, refit, recommend."""

from __future__ import annotations

import logging
from collections.abc import Callable, MutableMapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from longtail.arrays import Arrays
from longtail.behaviour.histories import Histories
from longtail.errors import NotApplicableError
from longtail.recommenders.base import Recommender, TrainingData
from longtail.recommenders.fitted_model import FittedModel
from longtail.recommenders.item_features import ItemFeatures
from longtail.recommenders.lists import no_recommendations, recommend
from longtail.recommenders.validation import validation_targets
from longtail.tuning.search import TuningParameters, tune

logger = logging.getLogger(__name__)

Tuned = tuple[dict[str, Any], list[dict[str, Any]], FittedModel]


def tuning_step(name: str, recommender: type[Recommender]) -> Callable[..., Tuned]:
    """Return the node function that tunes one recommender.

    Args:
        name: of the model in the parameters.
        recommender: its class.
    """

    def tune_recommender(
        settings: dict[str, dict[str, Any]],
        tuning: TuningParameters,
        training: Histories,
        held_out: Histories,
        checkpoints: MutableMapping[str, Arrays],
        item_features: ItemFeatures | None = None,
    ) -> Tuned:
        """Choose hyper-parameters on validation; return them, all trials and the fitted model.

        A model that these data do not allow leaves the reason in place of its hyper-parameters.
        """
        data = TrainingData(training, item_features or ItemFeatures(), tuning.seed, checkpoints)
        targets = validation_targets(training, held_out.matrix(), tuning.max_users, tuning.seed)
        try:
            tuned = tune(recommender, data, targets, tuning, settings.get(name))
        except NotApplicableError as reason:
            logger.info("%s", reason)
            return {"not_applicable": str(reason)}, [], FittedModel(recommender(), {}, str(reason))
        fitted = FittedModel(tuned.recommender, tuned.arrays)
        return tuned.recommender.model_dump(mode="json"), tuned.trials, fitted

    return tune_recommender


def refit_recommender(
    tuned: FittedModel,
    tuning: TuningParameters,
    past: Histories,
    checkpoints: MutableMapping[str, Arrays],
    item_features: ItemFeatures | None = None,
) -> FittedModel:
    """Fit the chosen hyper-parameters on train and validation.

    Networks hold nothing out: they train for the number of epochs that was best in tuning.
    """
    if tuned.not_applicable:
        return tuned
    data = TrainingData(past, item_features or ItemFeatures(), tuning.seed, checkpoints)
    recommender = tuned.recommender.for_refit(tuned.arrays)
    try:
        return FittedModel(recommender, recommender.fit(data))
    except NotApplicableError as reason:
        logger.info("%s", reason)
        return FittedModel(recommender, {}, str(reason))


def recommend_items(
    model: FittedModel,
    tuning: TuningParameters,
    past: Histories,
    test: pd.DataFrame,
    length: int,
    item_features: ItemFeatures | None = None,
) -> pd.DataFrame:
    """Return the ranked lists of all users of the test period; no rows without a fitted model."""
    if model.not_applicable:
        return no_recommendations()
    data = TrainingData(past, item_features or ItemFeatures(), tuning.seed)
    users = indices_of_users(test, past)
    label = f"{type(model.recommender).__name__} recommends"
    return recommend(model.recommender, model.arrays, data, users, length, label)


def indices_of_users(interactions: pd.DataFrame, histories: Histories) -> NDArray[np.int64]:
    """Return the ascending user indices of all users in a table."""
    return np.unique(pd.Index(histories.user_ids).get_indexer(pd.Index(interactions["user_id"])))
