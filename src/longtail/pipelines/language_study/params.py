"""Parameters of the language study."""

from pydantic import BaseModel, ConfigDict, Field


class AugmentationStudyParameters(BaseModel):
    """For how many users the augmentations of the interest network are compared."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    users: int = Field(
        0, ge=0, description="Test users, drawn at random; 0: the networks are not trained."
    )


class WishStudyParameters(BaseModel):
    """How many free-text wishes are searched for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    wishes: int = Field(
        300, ge=0, description="Items whose description gives up a sentence, drawn at random."
    )
