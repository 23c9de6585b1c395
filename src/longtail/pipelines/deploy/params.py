"""Parameters of the deployment."""

from pydantic import BaseModel, ConfigDict, Field


class DeploymentParameters(BaseModel):
    """What is written for every user of the log."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    length: int = Field(
        20, ge=1, le=1000, description="Items in each list, all with title and reason."
    )
