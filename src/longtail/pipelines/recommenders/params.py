"""Parameters that say which recommenders are fitted."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from longtail.pipelines.invalid_values import reason_of
from longtail.recommenders.registry import MODELS


class RecommenderParameters(BaseModel):
    """Which recommenders a run fits and compares, and which hyper-parameters are not tuned."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fitted: tuple[str, ...] = Field(
        description="Models to fit and compare. The baseline and the sources of the hybrid are"
        " fitted in any case."
    )
    settings: dict[str, dict[str, Any]] = Field(
        {}, description="Hyper-parameters with a fixed value instead of a tuned one, by model."
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
                    f" {reason_of(first)}; {name} has {', '.join(MODELS[name].model_fields)}"
                ) from error
        return settings
