"""Parameters of the behaviour cleaning."""

import re
from datetime import date
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from longtail.behaviour.robots import Robots
from longtail.behaviour.signals import Signals
from longtail.behaviour.splits import ProtocolChoice

FIRST_CALENDAR_DATE = date(1974, 1, 1)


class InteractionsColumns(BaseModel):
    """Names that the columns of the interactions file have."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    user_id: str = "user_id"
    item_id: str = "item_id"
    event_type: str | None = "event_type"
    rating: str | None = "rating"
    quantity: str | None = "quantity"
    dwell_seconds: str | None = "dwell_seconds"
    timestamp: str | None = "timestamp"

    @model_validator(mode="after")
    def _columns_differ(self) -> Self:
        if self.quantity is not None and self.quantity == self.rating:
            raise ValueError(
                f"rating and quantity both name the column {self.rating}; set rating to null where "
                "the column holds quantities"
            )
        return self


class ItemsColumns(BaseModel):
    """Names that the columns of the items file have."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    item_id: str = "item_id"
    title: str = "title"
    description: str = "description"
    categories: str = "categories"
    brand: str = "brand"
    price: str = "price"


class BehaviourCleaningParameters(BaseModel):
    """How the two files are read, cleaned and split."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    interactions_columns: InteractionsColumns = Field(
        default=InteractionsColumns(),
        description="Column names of the interactions file, where they differ.",
    )
    items_columns: ItemsColumns = Field(
        default=ItemsColumns(),
        description="Column names of the items file, where they differ.",
    )
    timestamps: Literal["auto", "calendar", "ordinal"] = Field(
        default="auto",
        description="Kind of the times: unix seconds, milliseconds and ISO 8601 are calendar "
        "times, positions in a sequence are ordinal; auto looks.",
    )
    earliest_date: date = Field(
        default=date(1990, 1, 1),
        ge=FIRST_CALENDAR_DATE,
        description="First plausible day (UTC); rows before it are rejected.",
    )
    latest_date: date | None = Field(
        default=None,
        description="Last plausible day (UTC); null: one day after the run.",
    )
    min_rating: float | None = Field(
        default=None,
        allow_inf_nan=False,
        description="Smallest rating that says a user liked an item; null accepts every row.",
    )
    preset: str | None = Field(
        default=None,
        description="What events, ratings, quantities, repeats and age weigh, by kind of data: "
        "shop, video, music, books, news or a name of your own among the signal_presets.",
    )
    signals: Signals | None = Field(
        default=None,
        description="The same said in full, in place of a preset; without either every user-item "
        "pair weighs 1.",
    )
    double_click_seconds: float | None = Field(
        default=2.0,
        ge=0,
        description="The same event of a user on an item again within so many seconds is rejected, "
        "where times are calendar times; null: only exact duplicates are.",
    )
    robots: Robots = Field(
        default=Robots(), description="How users who are robots or resellers are told."
    )
    non_product_patterns: tuple[str, ...] = Field(
        default=(),
        description="Regular expressions, without regard to case: items whose id or title matches "
        "one anywhere are no products (postage, discounts, samples) and are rejected.",
    )
    clean_text: bool = Field(
        default=True,
        description="Take HTML, broken encodings, control characters and runs of white space off "
        "the texts of the items.",
    )
    k_core: int | None = Field(
        default=None,
        ge=2,
        description="Keep users and items with so many partners only. null keeps all, and should: "
        "a core cuts the tail that this project is about. The cleaning report says what it costs.",
    )
    protocol: ProtocolChoice = Field(
        default="auto",
        description="temporal: one cut in time for all; per_user: the last fifth of every user; "
        "item_cold, user_cold: items or users hidden from training, for studies; "
        "auto: temporal where at least 95 % of the rows have a calendar time and "
        "min_evaluated_users can be evaluated that way.",
    )
    min_evaluated_users: int = Field(
        default=100,
        ge=1,
        description="Users with a history that the protocol auto wants to evaluate on the test "
        "period, and as many on the validation period, before it splits by time.",
    )
    hidden_share: float = Field(
        default=0.1,
        gt=0,
        le=0.4,
        description="item_cold: share of the items that is hidden for the test, and as many for "
        "the validation; user_cold: share of the users that is hidden for the test.",
    )
    fold_in: tuple[int, ...] = Field(
        default=(0, 1, 3, 5, 10),
        min_length=1,
        description="user_cold: lengths of the histories with which every hidden user is "
        "evaluated, so many of the first interactions.",
    )
    min_group_size: int = Field(
        default=1,
        ge=1,
        description="Groups with fewer users are left out of the profile of the data.",
    )
    seed: int = Field(
        default=42,
        ge=0,
        description="Seed of the order of interactions with equal or without time, and of the "
        "draw of hidden items and users.",
    )

    @model_validator(mode="before")
    @classmethod
    def _take_the_chosen_preset(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Put the chosen of the ``signal_presets`` into ``signals`` and forget the others."""
        values = dict(values)
        presets, name = values.pop("signal_presets", {}), values.get("preset")
        if name is not None and values.get("signals") is None:
            if name not in presets:
                raise ValueError(f"there is no preset '{name}'; there are {', '.join(presets)}")
            values["signals"] = presets[name]
        return values

    @model_validator(mode="after")
    def _dates_in_order(self) -> Self:
        if self.latest_date is not None and self.latest_date < self.earliest_date:
            raise ValueError("latest_date must not lie before earliest_date")
        return self

    @field_validator("non_product_patterns")
    @classmethod
    def _patterns_are_valid(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"'{pattern}' is no regular expression: {error}") from error
        return patterns

    @field_validator("fold_in")
    @classmethod
    def _lengths_are_counts(cls, fold_in: tuple[int, ...]) -> tuple[int, ...]:
        if min(fold_in) < 0 or max(fold_in) == 0:
            raise ValueError("the lengths must be 0 or more, and one of them above 0")
        return fold_in
