"""Parameters of the behaviour cleaning."""

import re
from datetime import UTC, date, datetime
from typing import Any, Literal, Self

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from longtail.behaviour.cleaning.bots import BotDetection
from longtail.behaviour.cleaning.decimal_signs import DecimalChoice
from longtail.behaviour.signals import Signals
from longtail.behaviour.splits import ProtocolChoice

FIRST_CALENDAR_DATE = date(1974, 1, 1)


class InteractionsColumns(BaseModel):
    """Column names of the interactions file; null for a column to ignore."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    user_id: str = Field(default="user_id", description="Column of the user ids; required.")
    item_id: str = Field(default="item_id", description="Column of the item ids; required.")
    event_type: str | None = Field(
        default="event_type", description="Column of the kind of event, such as view or purchase."
    )
    rating: str | None = Field(default="rating", description="Column of the ratings; numbers.")
    quantity: str | None = Field(
        default="quantity", description="Column of the quantities; numbers, below 0 for returns."
    )
    dwell_seconds: str | None = Field(
        default="dwell_seconds", description="Column of the dwell times, in seconds."
    )
    timestamp: str | None = Field(
        default="timestamp",
        description="Column of the times: unix times, ISO 8601, or positions in a sequence.",
    )

    @model_validator(mode="after")
    def _columns_differ(self) -> Self:
        if self.quantity is not None and self.quantity == self.rating:
            raise ValueError(
                f"rating and quantity both name the column {self.rating}; set one of them to null "
                "(rating, if the column holds quantities)"
            )
        return self


class ItemsColumns(BaseModel):
    """Column names of the items file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    item_id: str = Field(default="item_id", description="Column of the item ids; required.")
    title: str | None = Field(default="title", description="Column of the titles.")
    description: str | None = Field(
        default="description", description="Column of the descriptions."
    )
    categories: str | None = Field(default="categories", description="Column of the categories.")
    brand: str | None = Field(default="brand", description="Column of the brands.")
    price: str | None = Field(default="price", description="Column of the prices; numbers.")


class BehaviourCleaningParameters(BaseModel):
    """How the two input files are read, cleaned and split."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    interactions_columns: InteractionsColumns = Field(
        default=InteractionsColumns(),
        description="Column names of the interactions file, where they differ from the defaults.",
    )
    items_columns: ItemsColumns = Field(
        default=ItemsColumns(),
        description="Column names of the items file, where they differ from the defaults.",
    )
    missing_ids: tuple[str, ...] = Field(
        default=("nan", "none", "null", "na", "n/a", "<na>"),
        description="Ids that stand for a missing one, in any case; rows with one are rejected. "
        "[]: they are names like others.",
    )
    timestamps: Literal["auto", "calendar", "ordinal"] = Field(
        default="auto",
        description="Kind of the timestamps. calendar: unix seconds, milliseconds, microseconds or "
        "nanoseconds, ISO 8601 (UTC where no zone is given), days of a spreadsheet, or dates as "
        "yyyymmdd; order within a second is kept. ordinal: positions in a sequence, fractional "
        "ones too. auto detects it: numbers that are all below 1e8 and not such dates are ordinal.",
    )
    timestamp_format: str | None = Field(
        default=None,
        description="Format of calendar times with the directives of Python's strptime, such as "
        "%d.%m.%Y %H:%M for 31.12.2020 23:59; UTC where it has no %z. Times of another form are "
        "rejected. null: the forms that timestamps lists.",
    )
    decimal_sign: DecimalChoice = Field(
        default="auto",
        description="Decimal sign of ratings, quantities, dwell times and prices. auto: a comma in "
        "a column where numbers have a comma and none has a point; commas that may separate "
        "thousands, as in 1,299, are not read.",
    )
    earliest_date: date = Field(
        default=date(1990, 1, 1),
        ge=FIRST_CALENDAR_DATE,
        description="First plausible day (UTC), not before 1974-01-01; rows with an earlier "
        "calendar time are rejected.",
    )
    latest_date: date | None = Field(
        default=None,
        description="Last plausible day (UTC); rows with a later calendar time are rejected. null: "
        "one day after the run.",
    )
    min_rating: float | None = Field(
        default=None,
        allow_inf_nan=False,
        description="Rows with a lower rating are rejected, on the rating scale of the data; rows "
        "without a rating are kept. null accepts every rating.",
    )
    preset: str | None = Field(
        default=None,
        description="Name of a preset of signals for a kind of data: shop, video, music, books, "
        "news, social, courses, recipes, places, or one that you add to signal_presets in "
        "conf/base/globals_signals.yml. null: no preset.",
    )
    signals: Signals | None = Field(
        default=None,
        description="How much event types, ratings, quantities, repeats and age count; overrides "
        "the preset. Without signals and preset every user-item pair weighs 1.",
    )
    double_click_seconds: float | None = Field(
        default=2.0,
        ge=0,
        description="A repeat of the same event, by the same user on the same item, at most this "
        "many seconds after the previous one is rejected; only with calendar times. null: only "
        "exact duplicates are rejected.",
    )
    bots: BotDetection = Field(
        default=BotDetection(), description="How bots and resellers are detected; off by default."
    )
    non_product_patterns: tuple[str, ...] = Field(
        default=(),
        description="Case-insensitive regular expressions for entries that are not products "
        "(postage, discounts, samples): an item is rejected if one of them matches anywhere in its "
        "id or title.",
    )
    clean_text: bool = Field(
        default=True,
        description="Remove HTML, control characters and repeated white space from the item texts, "
        "and repair wrongly decoded characters (mojibake).",
    )
    max_rejected_share: float = Field(
        default=0.01,
        ge=0,
        le=1,
        description="Share of the rows of a file. A rule that rejects more, and is not one that a "
        "parameter asks for, is a warning with examples and the likely cause.",
    )
    k_core: int | None = Field(
        default=None,
        ge=2,
        description="Keep only users and items with at least this many partners among those kept "
        "(k-core), 2 or more. null, the recommended setting, keeps all: a core removes the tail "
        "that this project is about. The cleaning report counts what it removes.",
    )
    protocol: ProtocolChoice = Field(
        default="auto",
        description="How interactions are split. temporal: the same two cut-offs in time for "
        "all users. per_user: the last fifth of every user's interactions is the test. item_cold, "
        "user_cold: items or users are hidden from training, for cold-start studies. auto: "
        "temporal if at least 95 % of the rows have a calendar time and min_evaluated_users can be "
        "evaluated that way, else per_user.",
    )
    min_evaluated_users: int = Field(
        default=100,
        ge=1,
        description="auto splits by time only if at least this many users with a history can be "
        "evaluated on the test period, and as many on the validation period.",
    )
    hidden_share: float = Field(
        default=0.1,
        gt=0,
        le=0.4,
        description="item_cold: share of the items hidden for the test, and the same share "
        "again for the validation. user_cold: share of the users hidden for the test. Above 0 and "
        "at most 0.4.",
    )
    fold_in: tuple[int, ...] = Field(
        default=(0, 1, 3, 5, 10),
        min_length=1,
        description="user_cold: history lengths, in interactions, with which every hidden user is "
        "evaluated; a length of n gives the models the user's first n interactions.",
    )
    min_group_size: int = Field(
        default=1,
        ge=1,
        description="Groups with fewer users are left out of the data profile, to protect "
        "individual users; 1 shows all.",
    )
    seed: int = Field(
        default=42,
        ge=0,
        description="Seed of the order of interactions with equal or no timestamp, of the draw of "
        "hidden items and users, and of the isolation forest of the bot detection.",
    )

    @model_validator(mode="before")
    @classmethod
    def _resolve_preset(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Copy the chosen one of ``signal_presets`` to ``signals``, and drop the others."""
        values = dict(values)
        presets, name = values.pop("signal_presets", {}), values.get("preset")
        if name is not None and values.get("signals") is None:
            if name not in presets:
                raise ValueError(f"there is no preset '{name}'; choose one of {', '.join(presets)}")
            values["signals"] = presets[name]
        return values

    @model_validator(mode="after")
    def _dates_in_order(self) -> Self:
        if self.latest_date is not None and self.latest_date < self.earliest_date:
            raise ValueError("latest_date must not be before earliest_date")
        return self

    @model_validator(mode="after")
    def _format_is_for_calendar_times(self) -> Self:
        if self.timestamp_format is not None and self.timestamps == "ordinal":
            raise ValueError("timestamp_format is for calendar times: set timestamps to auto")
        return self

    @field_validator("timestamp_format")
    @classmethod
    def _format_is_valid(cls, time_format: str | None) -> str | None:
        if time_format is None:
            return None
        example = datetime(2020, 12, 31, 23, 59, 58, tzinfo=UTC)
        try:
            read = datetime.strptime(example.strftime(time_format), time_format)
        except ValueError as error:
            raise ValueError(
                f"'{time_format}' is not a format of strptime, such as %d.%m.%Y %H:%M: {error}"
            ) from error
        if read.date() != example.date():
            raise ValueError(f"'{time_format}' lacks the year, the month or the day")
        return time_format

    @field_validator("non_product_patterns")
    @classmethod
    def _patterns_are_valid(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(
                    f"'{pattern}' is not a valid regular expression: {error}"
                ) from error
            try:
                pc.match_substring_regex(pa.array([""]), pattern)
            except pa.ArrowInvalid as error:
                raise ValueError(
                    f"'{pattern}' uses what the engine's regular expressions (RE2) do not know, "
                    f"such as look-ahead or back-references: {error}"
                ) from error
        return patterns

    @field_validator("missing_ids")
    @classmethod
    def _ids_in_lower_case(cls, missing_ids: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(text.lower() for text in missing_ids)

    @field_validator("fold_in")
    @classmethod
    def _lengths_are_counts(cls, fold_in: tuple[int, ...]) -> tuple[int, ...]:
        if min(fold_in) < 0 or max(fold_in) == 0:
            raise ValueError("the lengths must be 0 or more, and at least one must be above 0")
        return fold_in
