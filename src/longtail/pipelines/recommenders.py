"""The steps that every recommender takes: tune on validation, refit, recommend."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, MutableMapping
from functools import partial, update_wrapper
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from kedro.pipeline import Node, Pipeline
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, field_validator

from longtail.behaviour.histories import Histories, build_histories
from longtail.errors import NotApplicableError, UserError
from longtail.models import RECOMMENDERS
from longtail.models.base import Arrays, Recommender, TrainingData, recommend
from longtail.models.candidates import FittedModel
from longtail.models.tuning import TuningParameters, ValidationTargets, tune, validation_targets

BEHAVIOUR_TABLES = {
    "train": "train_interactions@pandas",
    "validation": "validation_interactions@pandas",
    "item_groups": "item_groups",
    "user_groups": "user_groups",
    "checkpoints": "checkpoints",
}
TEXT_TABLES = {
    "item_vectors": "item_vectors",
    "text_neighbours": "text_neighbours",
    "tfidf_neighbours": "tfidf_neighbours",
}
NO_RECOMMENDATIONS = {"user_id": "str", "item_id": "str", "rank": "int64", "score": "float64"}

logger = logging.getLogger(__name__)


class RecommenderParameters(BaseModel):
    """Which recommenders a run fits and compares."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fitted: tuple[str, ...] = Field(description="Names of models; the others are left out.")

    @field_validator("fitted")
    @classmethod
    def _models_exist(cls, fitted: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := sorted(set(fitted) - set(RECOMMENDERS)):
            raise ValueError(
                f"recommenders.fitted names {', '.join(unknown)}; there are"
                f" {', '.join(name for name in RECOMMENDERS if name != 'hybrid')}."
            )
        return fitted


def create_recommender_pipeline(recommenders: dict[str, type[Recommender]], text: bool) -> Pipeline:
    """Return the nodes that tune, refit and recommend with each of the recommenders.

    Args:
        recommenders: classes by name.
        text: whether they read language vectors.
    """
    tables = BEHAVIOUR_TABLES | (TEXT_TABLES if text else {})
    return sum(
        (
            _recommender_nodes(name, recommender, tables)
            for name, recommender in recommenders.items()
        ),
        start=Pipeline([]),
    )


def _recommender_nodes(
    name: str, recommender: type[Recommender], tables: dict[str, str]
) -> Pipeline:
    """Return the three steps of one recommender, which Kedro-Viz shows as one box."""
    fitted = {"hyperparameters": f"{name}_hyperparameters", "arrays": f"{name}_model"}
    return Pipeline(
        [
            Node(
                _bind(tune_recommender, name, recommender),
                inputs={"choice": "params:recommenders", "tuning": "params:tuning"} | tables,
                outputs=[f"{name}_hyperparameters", f"{name}_trials", f"{name}_validation_model"],
                name="tune",
            ),
            Node(
                _bind(refit_recommender, recommender),
                inputs={
                    "hyperparameters": f"{name}_hyperparameters",
                    "tuning": "params:tuning",
                }
                | tables,
                outputs=f"{name}_model",
                name="refit",
            ),
            Node(
                _bind(recommend_items, recommender),
                inputs=fitted
                | {
                    "test": "test_interactions@pandas",
                    "length": "params:recommendation_length",
                    "tuning": "params:tuning",
                }
                | tables,
                outputs=f"recommendations_{name}",
                name="recommend",
            ),
        ],
        namespace=name,
        prefix_datasets_with_namespace=False,
    )


def _bind(step: Callable[..., Any], *recommender: Any) -> Callable[..., Any]:
    """Return the step for one recommender under the name of the step."""
    bound = partial(step, *recommender)
    # Kedro matches parameters to arguments by position: without those that are bound.
    signature = inspect.signature(bound)
    update_wrapper(bound, step)
    bound.__signature__ = signature  # type: ignore[attr-defined]
    return bound


def tune_recommender(
    name: str,
    recommender: type[Recommender],
    choice: RecommenderParameters,
    tuning: TuningParameters,
    **tables: Any,
) -> tuple[dict[str, Any], list[dict[str, Any]], Arrays]:
    """Choose hyper-parameters on validation; return them, all trials and the fitted arrays.

    A model that is not wanted, or that these data do not allow, leaves the reason in place of its
    hyper-parameters.
    """
    if name not in choice.fitted:
        return {"not_applicable": f"{name} is not in the parameter recommenders.fitted."}, [], {}
    data = training_data(**tables, seed=tuning.seed, with_validation=False)
    try:
        tuned = tune(recommender, data, targets_of(data.histories, tables, tuning), tuning)
    except NotApplicableError as reason:
        logger.info("%s", reason)
        return {"not_applicable": str(reason)}, [], {}
    return tuned.recommender.model_dump(mode="json"), tuned.trials, tuned.arrays


def refit_recommender(
    recommender: type[Recommender],
    hyperparameters: dict[str, Any],
    tuning: TuningParameters,
    **tables: Any,
) -> Arrays:
    """Fit the chosen setting on train and validation; nothing where the data do not allow it."""
    if "not_applicable" in hyperparameters:
        return {}
    data = training_data(**tables, seed=tuning.seed, with_validation=True)
    try:
        return recommender(**hyperparameters).fit(data)
    except NotApplicableError as reason:
        logger.info("%s", reason)
        return {}


def recommend_items(
    recommender: type[Recommender],
    hyperparameters: dict[str, Any],
    arrays: Arrays,
    test: pd.DataFrame,
    length: int,
    tuning: TuningParameters,
    **tables: Any,
) -> pd.DataFrame:
    """Return the ranked lists of all users of the test period; no rows without a fitted model."""
    if not arrays:
        return pd.DataFrame(columns=list(NO_RECOMMENDATIONS)).astype(NO_RECOMMENDATIONS)
    data = training_data(**tables, seed=tuning.seed, with_validation=True)
    users = indices_of_users(test, data.histories)
    label = f"{recommender.__name__} recommends"
    return recommend(recommender(**hyperparameters), arrays, data, users, length, label)


def training_data(
    train: pd.DataFrame,
    validation: pd.DataFrame,
    item_groups: pd.DataFrame,
    user_groups: pd.DataFrame,
    *,
    seed: int,
    with_validation: bool,
    checkpoints: MutableMapping[str, Arrays],
    item_vectors: dict[str, NDArray[np.float32]] | None = None,
    text_neighbours: sp.csr_array | None = None,
    tfidf_neighbours: sp.csr_array | None = None,
) -> TrainingData:
    """Put the tables of the split on one index space of users and items."""
    past = pd.concat([train, validation]) if with_validation else train
    histories = histories_of(past, item_groups, user_groups)
    if item_vectors is None or text_neighbours is None or tfidf_neighbours is None:
        return TrainingData(histories, seed=seed, checkpoints=checkpoints)
    return TrainingData(
        histories,
        item_vectors["vectors"],
        text_neighbours,
        tfidf_neighbours,
        seed,
        checkpoints,
    )


def histories_of(
    interactions: pd.DataFrame,
    item_groups: pd.DataFrame,
    user_groups: pd.DataFrame,
) -> Histories:
    """Return interactions on the index space of all users and items."""
    return build_histories(
        interactions,
        user_groups["user_id"].to_numpy(dtype=object),
        item_groups["item_id"].to_numpy(dtype=object),
    )


def targets_of(
    histories: Histories, tables: dict[str, Any], tuning: TuningParameters
) -> ValidationTargets:
    """Return the validation users with the items that they chose after the training period."""
    held_out = histories_of(tables["validation"], tables["item_groups"], tables["user_groups"])
    return validation_targets(histories, held_out.matrix(), tuning.max_users, tuning.seed)


def indices_of_users(interactions: pd.DataFrame, histories: Histories) -> NDArray[np.int64]:
    """Return the ascending user indices of all users in a table."""
    return np.unique(pd.Index(histories.user_ids).get_indexer(pd.Index(interactions["user_id"])))


def fitted_models(
    recommenders: dict[str, type[Recommender]], names: tuple[str, ...], parts: dict[str, Any]
) -> dict[str, FittedModel]:
    """Put saved hyper-parameters and arrays together again.

    Args:
        recommenders: classes by name.
        names: the models wanted.
        parts: ``<name>_hyperparameters`` and ``<name>_arrays`` of each.

    Raises:
        UserError: a model wanted was left out because the data do not allow it.
    """
    for name in names:
        if not parts[f"{name}_arrays"]:
            raise UserError(
                f"The hybrid needs the model {name!r}, which was left out on these data; take it"
                " from the parameter hybrid.sources."
            )
    return {
        name: FittedModel(
            recommenders[name](**parts[f"{name}_hyperparameters"]), parts[f"{name}_arrays"]
        )
        for name in names
    }


def separate_models(inputs: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split the inputs into the tables of the split and the parts of fitted models."""
    is_part = {name: name.endswith(("_hyperparameters", "_arrays")) for name in inputs}
    tables = {name: value for name, value in inputs.items() if not is_part[name]}
    return tables, {name: value for name, value in inputs.items() if is_part[name]}
