"""Parameters of the behaviour cleaning."""

from datetime import date
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from longtail.behaviour.splits import ProtocolChoice

FIRST_CALENDAR_DATE = date(1974, 1, 1)


class InteractionsColumns(BaseModel):
    """Names that the columns of the interactions file have."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    user_id: str = "user_id"
    item_id: str = "item_id"
    event_type: str = "event_type"
    rating: str = "rating"
    timestamp: str = "timestamp"


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
    protocol: ProtocolChoice = Field(
        default="auto",
        description="temporal: one cut in time for all; per_user: the last fifth of every user; "
        "auto: temporal where at least 95 % of the rows have a calendar time.",
    )
    seed: int = Field(
        default=42,
        ge=0,
        description="Seed of the order of interactions with equal or without time.",
    )

    @model_validator(mode="after")
    def _dates_in_order(self) -> Self:
        if self.latest_date is not None and self.latest_date < self.earliest_date:
            raise ValueError("latest_date must not lie before earliest_date")
        return self
