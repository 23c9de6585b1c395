"""The hybrid as an MLflow model from code: MLflow runs this file, and nothing is pickled."""

from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow.models import ModelSignature
from mlflow.pyfunc.model import PythonModel, PythonModelContext
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema
from mlflow.types.schema import Array
from threadpoolctl import threadpool_limits

from longtail.errors import UserError
from longtail.serving.storage import load_hybrid

ARTIFACT = "hybrid"
SIGNATURE = ModelSignature(
    inputs=Schema(
        [
            ColSpec(DataType.string, "user_id", required=False),
            ColSpec(Array(DataType.string), "item_ids", required=False),
            ColSpec(DataType.string, "text", required=False),
        ]
    ),
    outputs=Schema(
        [
            ColSpec(DataType.long, "request"),
            ColSpec(DataType.string, "item_id"),
            ColSpec(DataType.long, "rank"),
            ColSpec(DataType.double, "score"),
            ColSpec(DataType.string, "title"),
            ColSpec(DataType.string, "reason"),
        ]
    ),
    params=ParamSchema(
        [
            ParamSpec("k", DataType.long, 10),
            ParamSpec("new_item_ids", DataType.string, [], shape=(-1,)),
            ParamSpec("new_item_texts", DataType.string, [], shape=(-1,)),
        ]
    ),
)


class HybridModel(PythonModel):
    """Answers requests: each row of the input is one, numbered in the output."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load the hybrid and warm it up with one request."""
        self._served = load_hybrid(Path(context.artifacts[ARTIFACT]))
        self._served.recommend(item_ids=[str(self._served.histories.item_ids[0])])

    def predict(
        self,
        context: PythonModelContext,  # noqa: ARG002
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """Return request, item_id, rank, score, title, reason.

        Args:
            context: context of MLflow, not used.
            model_input: user_id; or item_ids, the history of an unknown user; and text, what the
                user is looking for.
            params: ``k``, the length of the lists; ``new_item_ids`` and ``new_item_texts``, items
                that are not in the catalogue, to be ranked too.

        Raises:
            UserError: the request cannot be answered.
        """
        given = params or {}
        k, new_items = int(given.get("k", 10)), _new_items(given)
        # A request is too little work for threads.
        with threadpool_limits(1):
            lists = [
                self._served.recommend(
                    _given(row.get("user_id")),
                    _given(row.get("item_ids")),
                    k,
                    text=_given(row.get("text")),
                    new_items=new_items,
                )
                for row in model_input.to_dict(orient="records")
            ]
        for number, table in enumerate(lists):
            table.insert(0, "request", number)
        return pd.concat(lists, ignore_index=True)


def _new_items(params: dict[str, Any]) -> dict[str, str]:
    """Return the texts of new items by id."""
    ids, texts = (list(params.get(name, [])) for name in ("new_item_ids", "new_item_texts"))
    if len(ids) != len(texts):
        raise UserError(
            f"new_item_ids has {len(ids)} entries and new_item_texts has {len(texts)}. Give one"
            " text for each new item."
        )
    return dict(zip(map(str, ids), map(str, texts), strict=True))


def _given(value: Any) -> Any:
    """Return None for an empty cell of a table, else the value."""
    return None if value is None or value is pd.NA or isinstance(value, float) else value


mlflow.models.set_model(HybridModel())
