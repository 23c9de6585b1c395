"""Pandera schemas of the tables that later pipelines read."""

from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pa
from pandera.typing.pandas import Series


class _TableSchema(pa.DataFrameModel):
    class Config:
        strict = True


class SplitSchema(_TableSchema):
    """Training, validation or test interactions; each user-item pair once.

    The column position is there if users have several interactions within one second.
    """

    user_id: Series[str]
    item_id: Series[str]
    timestamp: Series[Any] = pa.Field(nullable=True)
    weight: Series[float] = pa.Field(gt=0)
    position: Series[np.int64] | None = pa.Field(ge=0)

    @pa.check("timestamp")
    @classmethod
    def _numeric(cls, timestamp: pd.Series) -> bool:
        return pd.api.types.is_numeric_dtype(timestamp)


class DislikesSchema(_TableSchema):
    """Pairs with more evidence against than for the item, by the moment when it is known."""

    user_id: Series[str]
    item_id: Series[str]
    timestamp: Series[Any] = pa.Field(nullable=True)
    weight: Series[float] = pa.Field(le=0)
    known_at: Series[str] = pa.Field(isin=["validation", "test", "end"])


class FoldInSchema(SplitSchema):
    """Short histories of hidden users; positions 1 to n are a history of n interactions."""

    position: Series[np.int64] = pa.Field(ge=1)


class ItemsSchema(_TableSchema):
    """The catalogue."""

    item_id: Series[str] = pa.Field(unique=True)
    title: Series[str]
    description: Series[str]
    categories: Series[str]
    brand: Series[str]
    price: Series[float] = pa.Field(nullable=True)


class ItemGroupsSchema(_TableSchema):
    """Popularity group of every item."""

    item_id: Series[str] = pa.Field(unique=True)
    interaction_count: Series[np.int64] = pa.Field(ge=0)
    item_group: Series[str] = pa.Field(isin=["head", "tail", "cold"])


class UserGroupsSchema(_TableSchema):
    """Activity group of every user."""

    user_id: Series[str] = pa.Field(unique=True)
    history_length: Series[np.int64] = pa.Field(ge=0)
    user_group: Series[str] = pa.Field(isin=["active", "quiet", "new"])
