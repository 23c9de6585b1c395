"""Parameters of scoring a file."""

from pydantic import BaseModel, ConfigDict, Field


class ScoringParameters(BaseModel):
    """What is written for every user of the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    length: int = Field(10, ge=1, le=1000, description="Items in each list.")
