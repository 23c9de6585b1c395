"""Parameters of the evaluation."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class EvaluationParameters(BaseModel):
    """How recommendations are measured and compared."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ks: tuple[Annotated[int, Field(ge=1, le=1000)], ...] = Field(
        min_length=1, description="Lengths at which the lists are cut, in items."
    )
    primary_k: int = Field(ge=1, le=1000, description="The k of tables and figures; one of ks.")
    baseline: str = Field(
        min_length=1, description="Name of the model that the others are compared with."
    )
    bootstrap_draws: int = Field(
        ge=100, le=100_000, description="Bootstrap samples and sign-flip permutations."
    )
    confidence: float = Field(gt=0.5, lt=1.0, description="Coverage of the intervals, a share.")
    example_users: int = Field(
        4, ge=0, le=50, description="Quiet users whose lists the report shows."
    )
    min_group_size: int = Field(
        1, ge=1, description="Values that come from fewer users are left out of all tables."
    )
    seed: int = Field(ge=0, description="Seed of bootstrap, permutations and example users.")

    @model_validator(mode="after")
    def _primary_k_is_reported(self) -> Self:
        if self.primary_k not in self.ks:
            raise ValueError(
                f"evaluation.primary_k is {self.primary_k}, which is not in evaluation.ks"
                f" {list(self.ks)}; add it there."
            )
        return self
