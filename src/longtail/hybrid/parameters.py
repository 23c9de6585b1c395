"""Parameters of the hybrid."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

from longtail.hybrid.gate import GateParameters
from longtail.recommenders.registry import MODELS

ITEM_FEATURES = (
    "popularity",
    "log_count_capped_at_1",
    "log_count_capped_at_5",
    "is_new",
    "popularity_by_history",
)


class HybridParameters(BaseModel):
    """Sources, candidates, gate and tail emphasis of the hybrid."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sources: tuple[str, ...] = Field(
        min_length=1, description="Fitted models whose scores the gate combines."
    )
    candidates_per_source: int = Field(
        60, ge=1, description="Candidates from each source for each user."
    )
    trend_shares: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = Field(
        (0.3, 0.1, 0.03, 0.01),
        description="Shares of the latest interactions. The log count of an item in each of them is"
        " a trend feature of the gate.",
    )
    gate: GateParameters = GateParameters()
    tail_emphasis: float | None = Field(
        None,
        ge=0,
        description="Score taken off an item per log(1 + count); null: chosen on validation.",
    )
    tail_emphasis_grid: tuple[float, ...] = Field(
        (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0),
        min_length=1,
        description="Values of `tail_emphasis` tried on validation, ascending.",
    )
    cold_shelf: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Share of each list reserved for items without interactions, at evenly spaced"
        " ranks; 0: none is reserved.",
    )
    explained: int = Field(10, ge=0, description="Items at the top of each list that get a reason.")
    quality_kept: float = Field(
        0.97,
        gt=0,
        le=1,
        description="Share of the best validation NDCG that the chosen tail emphasis must keep.",
    )

    @field_validator("tail_emphasis_grid")
    @classmethod
    def _ascends(cls, grid: tuple[float, ...]) -> tuple[float, ...]:
        if list(grid) != sorted(set(grid)) or grid[0] < 0:
            raise ValueError("the values must be 0 or more and ascend")
        return grid

    @field_validator("sources")
    @classmethod
    def _check_sources(cls, sources: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := sorted(set(sources) - set(MODELS)):
            raise ValueError(
                f"hybrid.sources names unknown models: {', '.join(unknown)}."
                f" Known models: {', '.join(MODELS)}."
            )
        if known := sorted(set(sources) & set(ITEM_FEATURES)):
            raise ValueError(
                f"hybrid.sources names {', '.join(known)}, which is always a feature of the gate."
                " Remove it from hybrid.sources."
            )
        return sources
