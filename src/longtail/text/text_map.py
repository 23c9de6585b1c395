"""Maps a new text to the language vector that a catalogue item with this text would have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from longtail.arrays import Arrays
from longtail.text.encoder import TextEncoder
from longtail.text.encoder_parameters import EncoderParameters
from longtail.text.item_tower import adapt_texts
from longtail.text.whitening import Whitening

# Prefix of the arrays of the adaptation, among those of the adapted vectors.
LEARNED = "adaptation."


@dataclass(frozen=True)
class TextMap:
    """The language model with the whitening and the adaptation of the catalogue's vectors.

    Attributes:
        encoder: the language model and its settings; loaded with the first text.
        language: the whitening of the frozen vectors.
        adapted: the adaptation and the whitening after it; empty where the catalogue uses frozen
            vectors.
    """

    encoder: EncoderParameters
    language: Arrays
    adapted: Arrays

    @cached_property
    def _model(self) -> TextEncoder:
        return TextEncoder(self.encoder)

    def vectors(self, texts: Sequence[str]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the vectors of texts as the catalogue uses them, and the frozen ones.

        Both are (len(texts), d) float32 of unit length; zeros for an empty text.
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
