"""The way from a text to the vector that an item with this text would have in the catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from longtail.arrays import Arrays
from longtail.text.adaptation import adapt_texts
from longtail.text.encoder import EncoderParameters, TextEncoder
from longtail.text.whitening import Whitening

# Names of what the adaptation learned, among the arrays of the adapted vectors.
LEARNED = "adaptation."


@dataclass(frozen=True)
class TextMap:
    """The language model with the whitening and the adaptation that the catalogue's vectors had.

    Attributes:
        encoder: the language model and its settings; it is loaded when the first text comes.
        language: the whitening of the language model's vectors.
        adapted: adaptation to behaviour and the whitening after it; empty where the catalogue's
            vectors are not adapted.
    """

    encoder: EncoderParameters
    language: Arrays
    adapted: Arrays

    @cached_property
    def _model(self) -> TextEncoder:
        return TextEncoder(self.encoder)

    def vectors(self, texts: Sequence[str]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return (len(texts), d) vectors of unit length as the catalogue has them, and the frozen.

        An empty text has zero vectors.
        """
        known = np.array([text.strip() != "" for text in texts])
        frozen = Whitening.from_arrays(self.language).apply(self._model.encode(texts), known)
        if not self.adapted:
            return frozen, frozen
        learned = {
            name.removeprefix(LEARNED): array
            for name, array in self.adapted.items()
            if name.startswith(LEARNED)
        }
        adapted = adapt_texts(learned, frozen, self._model.word_pieces(texts))
        return Whitening.from_arrays(self.adapted).apply(adapted, known), frozen
