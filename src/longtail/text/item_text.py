"""Item text: one string from the text fields of an item."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

WORD = re.compile(r"\w+")
LETTER = re.compile(r"[^\W\d_]")
LATIN = re.compile("[A-Za-zÀ-ÖØ-öø-ɏ]")
# Texts up to this quantile of the number of words are short.
SHORT_QUANTILE = 0.25


def compose_item_text(items: pd.DataFrame, fields: Sequence[str], max_characters: int) -> pd.Series:
    """Join the non-empty text fields of each item, in the given order, each ended by a full stop.

    Args:
        items: one row per item; empty fields hold "" or a missing value.
        fields: columns to use, the most informative first, since the text is cut at its end.
        max_characters: maximum length of a text.

    Returns:
        (n_items,) strings, "" for an item without any text.
    """
    text = pd.Series("", index=items.index)
    for field in fields:
        value = items[field].fillna("").astype(str).str.strip().str.rstrip(".")
        text = text + value.where(value == "", value + ". ")
    return text.str.strip().str.slice(0, max_characters)


def add_understanding(
    texts: pd.Series, understanding: pd.DataFrame, columns: Sequence[str]
) -> pd.Series:
    """Prepend keywords or summaries to the texts; encoders cut texts at their end.

    Args:
        texts: (n_items,) strings.
        understanding: one row per item, in the same order.
        columns: columns of ``understanding`` to prepend; empty values add nothing.
    """
    for column in reversed(columns):
        value = understanding[column].to_numpy().astype(object)
        texts = (value + pd.Series(value != "", texts.index).map({True: ". ", False: ""})) + texts
    return texts


def text_groups(texts: pd.Series, trained: NDArray[np.bool_]) -> dict[str, NDArray[np.bool_]]:
    """Return masks of the items with a short text, with unseen words, and in other scripts.

    Args:
        texts: (n_items,) item texts, "" for an item without a text.
        trained: (n_items,) items of the training period.

    Returns:
        "short_text": up to the lower quartile of the number of words, among items with a text;
        "unseen_words": at least one word is in no text of the training period; "other_script": at
        least half of the letters are not Latin. bool (n_items,).
    """
    words = [set(WORD.findall(text.lower())) for text in texts]
    counts = texts.map(lambda text: len(WORD.findall(text))).to_numpy()
    has_text = counts > 0
    limit = np.quantile(counts[has_text], SHORT_QUANTILE) if has_text.any() else 0
    seen = set().union(*(found for found, known in zip(words, trained, strict=True) if known))
    unseen = np.array([not found <= seen for found in words], dtype=bool)
    latin = texts.map(lambda text: len(LATIN.findall(text))).to_numpy()
    letters = texts.map(lambda text: len(LETTER.findall(text))).to_numpy()
    return {
        "short_text": has_text & (counts <= limit),
        "unseen_words": unseen,
        "other_script": (letters > 0) & (latin <= letters / 2),
    }
