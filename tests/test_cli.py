import pytest
from kedro.io import DatasetError
from kedro.pipeline import Node, Pipeline
from kedro.validation.exceptions import ParameterValidationError
from kedro.validation.parameter_validator import ParameterValidator
from pydantic import BaseModel, ConfigDict, Field, field_validator

from longtail.cli import user_message
from longtail.errors import UserError


class Als(BaseModel):
    model_config = ConfigDict(extra="forbid")
    factors: int = Field(gt=0)

    @field_validator("factors")
    @classmethod
    def _is_even(cls, factors: int) -> int:
        if factors % 2:
            raise ValueError(f"als.factors is {factors}; take an even number.")
        return factors


class Settings(BaseModel):
    als: Als


def node(settings: Settings) -> int:
    return settings.als.factors


def message_of(raw: dict[str, object]) -> str | None:
    pipeline = Pipeline([Node(node, "params:model", "out", name="node")])
    with pytest.raises(ParameterValidationError) as caught:
        ParameterValidator({"a": pipeline}).validate_raw_params({"model": raw})
    return user_message(caught.value)


def test_wrapped_user_errors_are_found() -> None:
    wrapped = DatasetError("Failed while loading data")
    wrapped.__cause__ = UserError("Column 'item_id' is missing.")
    assert user_message(wrapped) == "Column 'item_id' is missing."


def test_defects_keep_their_traceback() -> None:
    assert user_message(ValueError("a defect")) is None


def test_the_sentence_of_a_validator_is_shown_as_it_is() -> None:
    assert message_of({"als": {"factors": 3}}) == (
        "Parameter model.als.factors = 3 is not valid: als.factors is 3; take an even number."
    )


def test_wrong_parameters_are_named() -> None:
    assert message_of({"als": {"factors": 0}}) == (
        "Parameter model.als.factors = 0 is not valid: input should be greater than 0."
    )
    assert message_of({"als": {"factors": "x", "factor": 3}}) == (
        "Parameter model.als.factors = 'x' is not valid: input should be a valid integer, "
        "unable to parse string as an integer.\n"
        "Parameter model.als.factor = 3 is not valid: extra inputs are not permitted."
    )
