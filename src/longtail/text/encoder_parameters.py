"""Which language model encodes the item texts, and how."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class EncoderParameters(BaseModel):
    """The language model that encodes the item texts, and its settings."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    model: str = Field(
        "minilm",
        description="A known encoder (`minilm`, `mpnet`, `smollm2`, `use_multilingual`), a local"
        " folder, GGUF file, hub id, or `package:<name>` for weights inside an installed package.",
    )
    max_tokens: int = Field(
        128, ge=8, le=8192, description="Maximum number of tokens of a text; the rest is cut."
    )
    batch_tokens: int = Field(
        2048,
        ge=1,
        description="Tokens in a batch, which holds texts of similar length. 2,048 fit the cache of"
        " a processor; a GPU is faster with 16,384 or more.",
    )
    precision: str = Field(
        "auto",
        pattern="^(auto|float32|bfloat16|int8)$",
        description="Precision of the computation. `auto`: bfloat16 where the hardware supports it,"
        " else float32; int8 needs torchao.",
    )
    prompt: str = Field("", description="Instruction prepended to each text.")
    pooling: Literal["auto", "mean", "last-token"] = Field(
        "auto",
        description="How token vectors become one vector. `auto`: as the model specifies, else the"
        " last token for causal language models and the mean for others.",
    )
    dimensions: int | None = Field(
        None,
        ge=2,
        description="Leading dimensions to keep, for Matryoshka models (Kusupati et al.: Matryoshka"
        " Representation Learning, 2022); null: all.",
    )
