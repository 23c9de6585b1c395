"""One-line summaries of item texts by a small generative language model."""

from __future__ import annotations

import hashlib
from collections.abc import MutableMapping, Sequence
from itertools import chain

import numpy as np

from longtail.arrays import Arrays
from longtail.text.generator import TextGenerator

PROMPT = "Describe this item in one short sentence.\n\n{text}"
SUMMARY = "summary"


def summarise(
    texts: Sequence[str], generator: TextGenerator, known: MutableMapping[str, Arrays]
) -> list[str]:
    """Return one line for each text, "" for an empty one.

    Summaries that the same model wrote for the same text are read from ``known``. Each batch of new
    ones is stored there at once, so that an interrupted run resumes.

    Args:
        texts: item texts.
        generator: writes missing summaries.
        known: store of summaries as UTF-8 bytes, by a hash of text, prompt and model.
    """
    keys = {text: _key(text, generator) for text in dict.fromkeys(texts) if text}
    found = {text: known.get(key) for text, key in keys.items()}
    lines = {text: _as_text(arrays) for text, arrays in found.items() if arrays is not None}
    missing = [text for text in keys if text not in lines]
    prompts = [PROMPT.format(text=text) for text in missing]
    for index, written in chain.from_iterable(generator.write(prompts, "Writing summaries")):
        text, line = missing[index], one_line(written)
        lines[text] = line
        known[keys[text]] = {SUMMARY: np.frombuffer(line.encode(), dtype=np.uint8)}
    return [lines.get(text, "") for text in texts]


def one_line(written: str) -> str:
    """Return the first non-blank line, without surrounding spaces and quotes."""
    lines = (line.strip().strip('"').strip() for line in written.splitlines())
    return next(filter(None, lines), "")


def _key(text: str, generator: TextGenerator) -> str:
    return hashlib.sha256(f"{generator.fingerprint}\n{PROMPT}\n{text}".encode()).hexdigest()


def _as_text(arrays: Arrays) -> str:
    return arrays[SUMMARY].tobytes().decode()
