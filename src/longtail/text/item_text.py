"""Item text: one string from the text fields of an item."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd


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
