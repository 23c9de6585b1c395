"""Parameters of the item encoding."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from longtail.text.adaptation import AdaptationParameters
from longtail.text.encoder_parameters import EncoderParameters
from longtail.text.generator import GeneratorParameters


class UnderstandingParameters(BaseModel):
    """Keywords and summaries of the items, for people to read."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    keywords: int = Field(5, ge=0, le=20, description="Keywords of an item at most; 0: none.")
    phrases: int = Field(
        4000,
        ge=1,
        description="Words and phrases that can be keywords: those in the texts of the most items.",
    )
    diversity: float = Field(
        0.5, ge=0, lt=1, description="0 takes the closest keywords, towards 1 more different ones."
    )
    summaries: bool = Field(False, description="Whether the generator sums up each item's text.")
    generator: GeneratorParameters = GeneratorParameters()


class ItemEncodingParameters(BaseModel):
    """From item fields to whitened language vectors."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fields: tuple[str, ...] = Field(
        ("title", "categories", "brand", "description"),
        min_length=1,
        description="Text fields in the order in which they are joined.",
    )
    max_characters: int = Field(600, ge=1, description="Length at which an item's text is cut.")
    encoder: EncoderParameters = EncoderParameters()
    second_encoder: EncoderParameters | None = Field(
        None, description="Another encoder, which gives the arm `second_language`; null: none."
    )
    second_text: tuple[Literal["keywords", "summary"], ...] = Field(
        (), description="What joins each text in the encoding of the arm `second_language`."
    )
    whitening_strength: float = Field(0.5, ge=0, le=1, description="0 none, 1 equal variances.")
    dimensions: int = Field(256, ge=2, description="Principal axes kept by the whitening.")
    adaptation: AdaptationParameters = AdaptationParameters()
    understanding: UnderstandingParameters = UnderstandingParameters()
    tfidf_seed: int = Field(42, ge=0, description="Seed of the reduction of the TF-IDF vectors.")
    neighbours: int = Field(100, ge=1, description="Nearest items by text that are kept.")
    exact_neighbours_up_to: int = Field(
        50_000,
        ge=0,
        description="Items up to which nearest items are found by comparing every pair; in a"
        " larger catalogue by cells, with the recall measured.",
    )
