"""Requests to the served model: read from the rows of a request, or refused with a sentence."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE

from longtail.errors import UserError
from longtail.serving.hybrid import Request

FIELDS = ("user_id", "item_ids", "text")
# JSON numbers above it lose digits where a batch mixes requests with and without a user.
EXACT_LIMIT = 2.0**53


class RefusedRequest(MlflowException):
    """A request that cannot be answered: status 400, and the sentence alone as the message."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, error_code=INVALID_PARAMETER_VALUE)
        self._sentence = sentence

    def serialize_as_json(self) -> str:
        """Return the body of the answer, without the data that MLflow puts before the message."""
        return json.dumps({"error_code": self.error_code, "message": self._sentence})


def requests_of(rows: pd.DataFrame) -> list[Request]:
    """Return the requests in the rows of a table with some of the columns ``FIELDS``.

    Raises:
        UserError: a row cannot be read; with the number of the row, from 0.
    """
    if not set(FIELDS) & set(rows.columns) or rows.empty:
        raise UserError(
            f"Give at least one record with a {', '.join(FIELDS[:-1])} or {FIELDS[-1]}."
        )
    return [
        Request(
            _id(row.get("user_id"), f"user_id of request {number}"),
            _ids(row.get("item_ids"), f"item_ids of request {number}"),
            _text(row.get("text"), f"text of request {number}"),
        )
        for number, row in enumerate(rows.to_dict(orient="records"))
    ]


def new_items_of(params: Mapping[str, Any]) -> dict[str, str]:
    """Return the texts of new items by id, from the parameters of a request.

    Raises:
        UserError: their numbers differ, or an id is given twice.
    """
    ids, texts = (list(params.get(name, [])) for name in ("new_item_ids", "new_item_texts"))
    if len(ids) != len(texts):
        raise UserError(
            f"new_item_ids has {len(ids)} entries and new_item_texts has {len(texts)}. Give one"
            " text for each new item."
        )
    items = dict(zip(map(str, ids), map(str, texts), strict=True))
    if len(items) < len(ids):
        raise UserError("new_item_ids names an item twice.")
    return items


def _is_missing(value: Any) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value))


def _id(value: Any, what: str) -> str | None:
    """Return an id as text, None where there is none."""
    if _is_missing(value):
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.number):
        raise UserError(f"The {what} must be text or a number, not {_shown(value)}.")
    if isinstance(value, int | np.integer):
        return str(value)
    number = float(value)
    if abs(number) >= EXACT_LIMIT:
        raise UserError(f"The {what} is too large for a number: write it as text.")
    # Pandas turns whole numbers into fractions where another record has none.
    return str(int(number)) if number.is_integer() else str(number)


def _ids(value: Any, what: str) -> list[str] | None:
    """Return a list of ids as text, None where there is none."""
    if _is_missing(value):
        return None
    if not isinstance(value, list | tuple | np.ndarray):
        raise UserError(f"The {what} must be a list of ids, not {_shown(value)}.")
    ids = [_id(entry, what) for entry in value]
    return [entry for entry in ids if entry is not None]


def _text(value: Any, what: str) -> str | None:
    if _is_missing(value):
        return None
    if not isinstance(value, str):
        raise UserError(f"The {what} must be text, not {_shown(value)}.")
    return value


def _shown(value: Any) -> str:
    return json.dumps(value, default=str)[:60]
