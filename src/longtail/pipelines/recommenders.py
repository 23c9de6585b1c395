"""The steps that every recommender takes: tune on validation, refit, recommend."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, MutableMapping
from functools import partial, update_wrapper
from typing import Any

import numpy as np
import pandas as pd
from kedro.pipeline import Node, Pipeline
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from longtail.arrays import Arrays
from longtail.behaviour.histories import Histories, build_histories
from longtail.errors import NotApplicableError, UserError
from longtail.models import MODELS
from longtail.models.base import Recommender, TrainingData, recommend
from longtail.models.candidates import FittedModel
from longtail.models.tuning import TuningParameters, ValidationTargets, tune, validation_targets

BEHAVIOUR_TABLES = {
    "train": "train_interactions@pandas",
    "validation": "validation_interactions@pandas",
    "item_groups": "item_groups",
    "user_groups": "user_groups",
    "checkpoints": "checkpoints",
}
# Where the fields of the training data come from that some models read.
READ_FROM = {
    "language_model": "params:item_encoding.encoder.model",
    "item_vectors": "item_vectors",
    "item_embeddings": "item_embeddings",
    "text_neighbours": "text_neighbours",
    "frozen_neighbours": "frozen_neighbours",
    "tfidf_neighbours": "tfidf_neighbours",
    "item_texts": "item_texts",
    "item_attributes": "items@pandas",
    "ratings": "interactions@pandas",
}
NO_RECOMMENDATIONS = {"user_id": "str", "item_id": "str", "rank": "int64", "score": "float64"}

logger = logging.getLogger(__name__)


class RecommenderParameters(BaseModel):
    """Which recommenders a run fits and compares, and what of them is not tuned."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fitted: tuple[str, ...] = Field(description="Names of models; the others are left out.")
    settings: dict[str, dict[str, Any]] = Field(
        {}, description="Hyper-parameters that are given and not tuned, by model."
    )

    @field_validator("fitted", "settings")
    @classmethod
    def _models_exist(cls, named: Any, field: ValidationInfo) -> Any:
        if unknown := sorted(set(named) - set(MODELS)):
            raise ValueError(
                f"recommenders.{field.field_name} names {', '.join(unknown)}; there are"
                f" {', '.join(MODELS)}."
            )
        return named

    @field_validator("settings")
    @classmethod
    def _settings_exist(cls, settings: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        for name, given in settings.items():
            try:
                MODELS[name](**given)
            except ValidationError as error:
                first = error.errors()[0]
                raise ValueError(
                    f"recommenders.settings.{name}.{'.'.join(map(str, first['loc']))}:"
                    f" {first['msg']}; {name} has {', '.join(MODELS[name].model_fields)}"
                ) from error
        return settings


def create_recommender_pipeline(recommenders: dict[str, type[Recommender]]) -> Pipeline:
    """Return the nodes that tune, refit and recommend with each of the recommenders.

    Args:
        recommenders: classes by name.
    """
    return sum(
        (
            _recommender_nodes(name, recommender, tables_read_by(recommender))
            for name, recommender in recommenders.items()
        ),
        start=Pipeline([]),
    )


def tables_read_by(
    *recommenders: type[Recommender], without: tuple[str, ...] = ()
) -> dict[str, str]:
    """Return the inputs that ``training_data`` needs for some recommenders, parameters first.

    Args:
        *recommenders: classes.
        without: fields of the training data that are not wanted.
    """
    wanted = {field for recommender in recommenders for field in recommender.reads}
    wanted -= set(without)
    read = {field: dataset for field, dataset in READ_FROM.items() if field in wanted}
    parameters = {name: dataset for name, dataset in read.items() if dataset.startswith("params:")}
    return parameters | BEHAVIOUR_TABLES | read


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
        return {"not_wanted": f"{name} is not in the parameter recommenders.fitted."}, [], {}
    data = training_data(**tables, seed=tuning.seed, with_validation=False)
    try:
        targets = targets_of(data.histories, tables, tuning)
        tuned = tune(recommender, data, targets, tuning, choice.settings.get(name))
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
    if hyperparameters.keys() & {"not_wanted", "not_applicable"}:
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
        return no_recommendations()
    data = training_data(**tables, seed=tuning.seed, with_validation=True)
    users = indices_of_users(test, data.histories)
    label = f"{recommender.__name__} recommends"
    return recommend(recommender(**hyperparameters), arrays, data, users, length, label)


def no_recommendations() -> pd.DataFrame:
    """Return the lists of a model that was not fitted: user_id, item_id, rank, score, no rows."""
    return pd.DataFrame(columns=list(NO_RECOMMENDATIONS)).astype(NO_RECOMMENDATIONS)


def training_data(
    train: pd.DataFrame,
    validation: pd.DataFrame,
    item_groups: pd.DataFrame,
    user_groups: pd.DataFrame,
    *,
    seed: int,
    with_validation: bool,
    checkpoints: MutableMapping[str, Arrays],
    **read: Any,
) -> TrainingData:
    """Put the tables of the split on one index space of users and items.

    Args:
        train: interactions of the training period.
        validation: interactions of the validation period.
        item_groups: gives the items in catalogue order.
        user_groups: gives the users.
        seed: seed of the models.
        with_validation: whether the validation period is past behaviour too.
        checkpoints: the store of finished trials and unfinished trainings.
        **read: the datasets of ``READ_FROM`` that the models read.
    """
    past = pd.concat([train, validation]) if with_validation else train
    histories = histories_of(past, item_groups, user_groups)
    for name in {"item_vectors", "item_embeddings"} & read.keys():
        # Controls put whitened vectors in the place of embeddings.
        key = "embeddings" if "embeddings" in read[name] else "vectors"
        read[name] = read[name][key]
    if "item_texts" in read:
        read["item_texts"] = read["item_texts"]["text"].to_numpy(dtype=object)
    if "ratings" in read:
        read["ratings"] = ratings_of(histories, read["ratings"])
    return TrainingData(histories, seed=seed, checkpoints=checkpoints, **read)


def ratings_of(histories: Histories, interactions: pd.DataFrame) -> NDArray[np.float32]:
    """Return (n,) the user's last stars for each interaction of the histories, NaN without any."""
    stars = interactions.dropna(subset="rating").drop_duplicates(
        ["user_id", "item_id"], keep="last"
    )
    pairs = pd.MultiIndex.from_frame(stars[["user_id", "item_id"]])
    own = pd.MultiIndex.from_arrays(
        [histories.user_ids[histories.users], histories.item_ids[histories.items]]
    )
    return pd.Series(stars["rating"].to_numpy(np.float32), pairs).reindex(own).to_numpy()


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


def applicable(names: tuple[str, ...], parts: dict[str, Any]) -> tuple[str, ...]:
    """Return the models that the data allowed when they were tuned.

    Args:
        names: of models.
        parts: ``<name>_hyperparameters`` of each.
    """
    return tuple(name for name in names if "not_applicable" not in parts[f"{name}_hyperparameters"])


def fitted_models(
    recommenders: dict[str, type[Recommender]], names: tuple[str, ...], parts: dict[str, Any]
) -> dict[str, FittedModel]:
    """Put saved hyper-parameters and arrays together again.

    Models that the data did not allow when they were tuned are left out.

    Args:
        recommenders: classes by name.
        names: the models wanted.
        parts: ``<name>_hyperparameters`` and ``<name>_arrays`` of each.

    Raises:
        UserError: a model wanted was not fitted.
    """
    names = applicable(names, parts)
    for name in names:
        if not parts[f"{name}_arrays"]:
            raise UserError(
                f"The hybrid needs the model {name!r}, which was not fitted: add it to the"
                " parameter recommenders.fitted or take it from hybrid.sources."
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
