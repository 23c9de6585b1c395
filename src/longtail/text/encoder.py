"""Language-model encoders, which turn texts into vectors."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer

from longtail.errors import UserError
from longtail.progress import no_bars_in_files, progress
from longtail.source_code import code_digest
from longtail.text.encoder_parameters import EncoderParameters
from longtail.text.weights import (
    GGUF,
    available_model,
    best_precision,
    hub_commit,
    model_options,
    named_in_errors,
    pretrained,
    resolved_precision,
    weights_fingerprint,
)

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

# The file by which the Universal Sentence Encoder is known.
UNIVERSAL = "weights.npz"
PARAMETER = "item_encoding.encoder.model"
# Names of the poolings in sentence-transformers.
POOLINGS = {"mean": "mean", "last-token": "lasttoken"}


class TextEncoder:
    """A sentence-transformers model with its settings."""

    def __init__(self, parameters: EncoderParameters):
        self.parameters = parameters
        self.location = available_model(parameters.model, PARAMETER)
        self.precision = resolved_precision(parameters.precision)
        self.dtype = best_precision(self.precision)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the weights and of every setting that changes the vectors."""
        settings = {
            "code": code_digest(type(self)),  # type: ignore[arg-type]  # classes can be hashed
            "model": self.parameters.model,
            "weights": self._weights(),
            "max_tokens": self.parameters.max_tokens,
            "prompt": self.parameters.prompt,
            "pooling": self.parameters.pooling,
            "dimensions": self.parameters.dimensions,
            "dtype": "int8" if self.precision == "int8" else str(self.dtype),
        }
        return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()

    def _weights(self) -> str:
        """Return the fingerprint of the weights; of a hub id they are fetched first."""
        if not Path(self.location).exists() and hub_commit(self.location) is None:
            _ = self.model
        return weights_fingerprint(self.location)

    def text_keys(self, texts: pd.Series) -> pd.Series:
        """Return a key for each text, a hash of text, model and settings."""
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
            UserError: the model cannot be loaded, or does not support the pooling or dimensions.
        """
        with named_in_errors(self.parameters.model, PARAMETER):
            model = _load(self.location, self.dtype)
            if self.precision == "int8":
                _quantize(model)
        self._set_pooling(model)
        self._limit_tokens(model)
        available = model.get_embedding_dimension()
        if available is not None and (self.parameters.dimensions or 0) > available:
            raise UserError(
                f"Parameter item_encoding.encoder.dimensions is {self.parameters.dimensions}, but "
                f"the vectors of '{self.parameters.model}' have {available} dimensions. Set it to "
                f"at most {available}, or to null."
            )
        return model

    def _set_pooling(self, model: SentenceTransformer) -> None:
        """Set the pooling; GGUF files hold causal models and do not specify one."""
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
                f"{self.parameters.model}' does not pool token vectors. Set it to auto."
            )
        former = model[places[0]]
        model[places[0]] = modules.Pooling(
            former.embedding_dimension, POOLINGS[pooling], former.include_prompt
        )

    def _limit_tokens(self, model: SentenceTransformer) -> None:
        """Truncate texts at the limit of the parameters or of the model, whichever is lower."""
        limit = self._token_limit(model)
        if isinstance(model.tokenizer, Tokenizer):  # static models have no limit of their own
            model.tokenizer.enable_truncation(limit)
            return
        model.max_seq_length = limit
        if model.tokenizer.pad_token is None:
            model.tokenizer.pad_token = model.tokenizer.eos_token

    def _token_limit(self, model: SentenceTransformer) -> int:
        return min(self.parameters.max_tokens, model.max_seq_length or self.parameters.max_tokens)

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return (len(texts), d) float32 vectors of unit length.

        Raises:
            UserError: the model cannot be loaded, or does not support the pooling or dimensions.
        """
        lengths = np.array([len(ids) for ids in self._piece_ids(texts)], dtype=np.int64)
        batches = batches_by_length(lengths, self.parameters.batch_tokens)
        # The text of a request needs no bar in the log of a server.
        shown = progress(batches, "Encoding texts") if len(batches) > 1 else batches
        vectors = [self._encode_batch([texts[row] for row in rows]) for rows in shown]
        places = np.argsort(np.concatenate(batches))
        return torch.cat(vectors).numpy()[places]

    def _encode_batch(self, texts: list[str]) -> torch.Tensor:
        """Return (len(texts), d) float32 vectors of unit length, computed at once."""
        vectors = self.model.encode(
            texts,
            prompt=self.parameters.prompt or None,
            batch_size=len(texts),
            show_progress_bar=False,
            convert_to_numpy=False,
            convert_to_tensor=True,
            truncate_dim=self.parameters.dimensions,
        )
        return torch.nn.functional.normalize(vectors.float(), dim=1).cpu()

    def word_pieces(self, texts: Sequence[str]) -> sp.csr_array:
        """Return (len(texts), vocabulary) float32, 1 where a text contains a word piece.

        Raises:
            UserError: the model cannot be loaded.
        """
        pieces = self._piece_ids(texts)
        rows = np.repeat(np.arange(len(texts)), [len(ids) for ids in pieces])
        columns = np.concatenate([np.asarray(ids, dtype=np.int64) for ids in pieces])
        ones = np.ones(len(columns), dtype=np.float32)
        vocabulary = len(self._tokenizer)
        counts = sp.csr_array((ones, (rows, columns)), shape=(len(texts), vocabulary))
        counts.data[:] = 1
        return counts

    @cached_property
    def _tokenizer(self) -> Any:
        """The tokenizer of the model, with the interface of transformers."""
        from transformers import PreTrainedTokenizerFast  # noqa: PLC0415 heavy import

        tokenizer: Any = self.model.tokenizer
        if isinstance(tokenizer, Tokenizer):
            fast: Any = PreTrainedTokenizerFast  # its constructor has no types
            tokenizer = fast(tokenizer_object=tokenizer)
        return tokenizer

    def _piece_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the ids of the word pieces of each text that the model reads."""
        ids: list[list[int]] = self._tokenizer(
            list(texts),
            add_special_tokens=False,
            truncation=True,
            max_length=self._token_limit(self.model),
        )["input_ids"]
        return ids


def batches_by_length(lengths: NDArray[np.int64], tokens: int) -> list[NDArray[np.int64]]:
    """Return the rows of batches of texts of similar length, the longest first.

    Args:
        lengths: (n,) tokens of each text.
        tokens: of a batch at most, its padding included; a longer text is alone.
    """
    order, batches = np.argsort(-lengths, kind="stable"), []
    while len(order):
        size = max(1, tokens // max(1, int(lengths[order[0]])))
        batches.append(order[:size])
        order = order[size:]
    return batches


def _load(location: str, dtype: torch.dtype) -> SentenceTransformer:
    """Load a model that sentence-transformers or transformers can read."""
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415 heavy import

    if (Path(location) / UNIVERSAL).exists():
        from longtail.text.universal_encoder import load_universal  # noqa: PLC0415 optional

        return load_universal(Path(location))
    no_bars_in_files()
    name, file = pretrained(location)
    options = model_options(file, dtype)
    if not file:
        return SentenceTransformer(name, model_kwargs=options)
    return SentenceTransformer(
        name, model_kwargs=options, processor_kwargs=file, config_kwargs=file
    )


def _quantize(model: torch.nn.Module) -> None:
    """Quantise the linear layers to int8: weights by row, activations dynamically.

    Raises:
        ImportError: torchao is not installed.
    """
    if importlib.util.find_spec("torchao") is None:
        raise ImportError("int8 needs torchao. Run pip install longtail[int8]")
    from torchao import quantization  # noqa: PLC0415 optional

    quantization.quantize_(model, quantization.Int8DynamicActivationInt8WeightConfig())
