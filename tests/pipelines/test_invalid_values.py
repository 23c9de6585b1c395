"""Pydantic's own words never reach the user."""

from datetime import date
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, ValidationError

from longtail.pipelines.invalid_values import reason_of


class Group(BaseModel):
    a: int = 1


class Example(BaseModel):
    whole: Annotated[int, Field(ge=2, le=5)] = 3
    number: Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)] = 0.5
    flag: bool = True
    text: Annotated[str, Field(min_length=1, pattern="^a")] = "a"
    choice: Literal["off", "on"] = "off"
    several: Annotated[tuple[int, ...], Field(min_length=1)] = (1,)
    group: Group = Group()
    named: dict[str, float] = {}
    day: date = date(2020, 1, 1)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"whole": 1}, "it must be at least 2"),
        ({"whole": 6}, "it must be at most 5"),
        ({"whole": "x"}, "it must be a whole number"),
        ({"whole": 2.5}, "it must be a whole number"),
        ({"number": 0}, "it must be above 0.0"),
        ({"number": 1}, "it must be below 1.0"),
        ({"number": "x"}, "it must be a number"),
        ({"number": float("nan")}, "it must be a finite number"),
        ({"flag": "maybe"}, "it must be true or false"),
        ({"text": 3}, "it must be text"),
        ({"text": ""}, "it needs at least 1 characters"),
        ({"text": "b"}, "it must match the pattern ^a"),
        ({"choice": "of"}, "choose one of 'off' or 'on'"),
        ({"several": 5}, "it must be a list such as [1, 2]"),
        ({"several": []}, "it needs at least 1 entries"),
        ({"group": 5}, "it must be a group of parameters, such as {name: value}"),
        ({"named": [1]}, "it must be a group of parameters, such as {name: value}"),
        ({"day": "soon"}, "it must be a date such as 2020-12-31"),
    ],
)
def test_each_kind_of_error_has_words_of_its_own(given: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Example.model_validate(given)
    assert reason_of(refused.value.errors()[0]) == reason
