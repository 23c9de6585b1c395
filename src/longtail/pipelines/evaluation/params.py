"""Parameters of the evaluation."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from longtail.metrics.leaderboard import Resampling
from longtail.recommenders.registry import MODELS


class EvaluationParameters(BaseModel):
    """How recommendations are evaluated and compared."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ks: tuple[Annotated[int, Field(ge=1, le=1000)], ...] = Field(
        min_length=1,
        description="List lengths K at which every metric is computed, in items, from 1 to 1000.",
    )
    primary_k: int = Field(
        ge=1, le=1000, description="The K of tables and figures; must be one of ks."
    )
    baseline: str = Field(
        min_length=1, description="Name of the model that all others are compared with."
    )
    relevant_events: tuple[str, ...] | None = Field(
        None,
        min_length=1,
        description="Event types, in any case: only test interactions with a positive event of one "
        "of them are relevant. Users without one are not evaluated; training and tuning still "
        "follow all positive events. null: every positive event counts.",
    )
    bootstrap_draws: int = Field(
        ge=100,
        le=100_000,
        description="Number of bootstrap samples, and of sign-flip permutations.",
    )
    confidence: float = Field(
        gt=0.5, lt=1.0, description="Coverage of the intervals, a share such as 0.95."
    )
    example_users: int = Field(
        4,
        ge=0,
        le=50,
        description="Number of quiet users, drawn at random, whose lists the report shows.",
    )
    searchable_users: int = Field(
        200,
        ge=0,
        le=2000,
        description="Number of evaluated users, drawn at random, in whose lists one can search in "
        "the report; 0 leaves out the search.",
    )
    min_group_size: int = Field(
        1,
        ge=1,
        description="Values computed from fewer users are left out of all tables, to protect "
        "individual users; above 1 the report shows no list of a single user. 1 shows all.",
    )
    seed: int = Field(
        ge=0, description="Seed of bootstrap, permutations and the draw of example users."
    )

    @field_validator("baseline")
    @classmethod
    def _baseline_exists(cls, baseline: str) -> str:
        if baseline not in MODELS:
            raise ValueError(f"evaluation.baseline is {baseline}; there are {', '.join(MODELS)}.")
        return baseline

    @property
    def resampling(self) -> Resampling:
        """Draws, seed and confidence of intervals and p values."""
        return Resampling(self.bootstrap_draws, self.seed, self.confidence)

    @property
    def relevance(self) -> str:
        """The sentence on what counts as relevant, "" where every positive event does."""
        if self.relevant_events is None:
            return ""
        events = ", ".join(self.relevant_events)
        return f"Relevant are test interactions with the events {events} only."

    @model_validator(mode="after")
    def _primary_k_is_in_ks(self) -> Self:
        if self.primary_k not in self.ks:
            raise ValueError(
                f"evaluation.primary_k is {self.primary_k}, which is not in evaluation.ks"
                f" {list(self.ks)}; add it to evaluation.ks or choose another."
            )
        return self
