"""Item text: one readable string from all filled fields of an item."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd


def compose_item_text(items: pd.DataFrame, fields: Sequence[str], max_characters: int) -> pd.Series:
    """Join the filled text fields of each item to sentences, in the given order.

    Args:
        items: one row an item; text columns hold "" where nothing is known.
        fields: columns to use; the most telling first, since the text is cut at the end.
        max_characters: length at which the text is cut.

    Returns:
        One string a row, "" for an item without any text.
    """
    text = pd.Series("", index=items.index)
    for field in fields:
        value = items[field].fillna("").astype(str).str.strip().str.rstrip(".")
        text = text + value.where(value == "", value + ". ")
    return text.str.strip().str.slice(0, max_characters)


def add_understanding(
    texts: pd.Series, understanding: pd.DataFrame, columns: Sequence[str]
) -> pd.Series:
    """Put what is understood of the items before their texts, since encoders cut at the end.

    Args:
        texts: (n_items,) strings.
        understanding: a row an item, in the same order.
        columns: which of its columns are put there; "" adds nothing.
    """
    for column in reversed(columns):
        value = understanding[column].to_numpy().astype(object)
        texts = (value + pd.Series(value != "", texts.index).map({True: ". ", False: ""})) + texts
    return texts
