"""All parameters of the project, and the sentences for those that are not valid."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from longtail.behaviour.origins import RepeatParameters
from longtail.errors import UserError
from longtail.hybrid.parameters import HybridParameters
from longtail.pipelines.behaviour_cleaning.params import BehaviourCleaningParameters
from longtail.pipelines.deploy.params import DeploymentParameters
from longtail.pipelines.evaluation.params import EvaluationParameters
from longtail.pipelines.invalid_values import reason_of
from longtail.pipelines.item_encoding.params import ItemEncodingParameters
from longtail.pipelines.language_study.params import (
    AugmentationStudyParameters,
    WishStudyParameters,
)
from longtail.pipelines.recommenders.params import RecommenderParameters
from longtail.pipelines.scoring.params import ScoringParameters
from longtail.recommenders.language_model_ranker.model import LanguageModelRanker
from longtail.studies.judge import JudgeParameters
from longtail.tuning.search import TuningParameters

Model = TypeVar("Model", bound=BaseModel)


class Parameters(BaseModel):
    """The parameters of a run, group by group."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    behaviour_cleaning: BehaviourCleaningParameters
    item_encoding: ItemEncodingParameters
    recommenders: RecommenderParameters
    tuning: TuningParameters
    data_set: str = Field(min_length=1, description="Name of the data in the report.")
    recommendation_length: int = Field(ge=1, le=1000, description="Items in each saved list.")
    hybrid: HybridParameters
    evaluation: EvaluationParameters
    rating_study: LanguageModelRanker
    augmentation_study: AugmentationStudyParameters
    wish_study: WishStudyParameters
    llm_judge: JudgeParameters
    repeat: RepeatParameters
    deployment: DeploymentParameters
    scoring: ScoringParameters


def read_parameters(raw: Mapping[str, Any]) -> Parameters:
    """Return the parameters that the configuration gives.

    Raises:
        UserError: some are unknown or not valid; with one sentence for each.
    """
    return read_as(Parameters, raw)


def read_as(model: type[Model], raw: Mapping[str, Any]) -> Model:
    """Return what a file of the configuration gives as a model.

    Raises:
        UserError: some names are unknown or values not valid; with one sentence for each.
    """
    try:
        return model.model_validate(dict(raw))
    except ValidationError as error:
        sentences = [sentence_of(details, model) for details in error.errors()]
        raise UserError("\n".join(sentences)) from error


def sentence_of(details: ErrorDetails, root: type[BaseModel]) -> str:
    """Return the sentence for one error of pydantic.

    Args:
        details: the error.
        root: the model that was validated.
    """
    name = ".".join(map(str, details["loc"]))
    if details["type"] == "extra_forbidden":
        return f"There is no parameter {name}{_hint(details['loc'], root)}."
    if details["type"] == "missing":
        return f"The parameter {name} is missing."
    return f"Parameter {name} = {details['input']!r} is not valid: {reason_of(details)}."


def _hint(location: tuple[int | str, ...], root: type[BaseModel]) -> str:
    """Return the nearest name of a parameter in the same group, as the end of a sentence."""
    model: Any = root
    for part in location[:-1]:
        field = model.model_fields.get(str(part)) if hasattr(model, "model_fields") else None
        model = field.annotation if field else None
    known = list(getattr(model, "model_fields", ()))
    near = get_close_matches(str(location[-1]), known, n=1)
    if near:
        return f": did you mean {near[0]}"
    return f": known are {', '.join(known)}" if known else ""
