"""The hybrid as an MLflow model from code: MLflow runs this file, and nothing is pickled."""

from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow.models import ModelSignature
from mlflow.pyfunc.model import PythonModel, PythonModelContext
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema
from mlflow.types.schema import AnyType
from threadpoolctl import threadpool_limits

from longtail.errors import UserError
from longtail.serving.requests import RefusedRequest, new_items_of, requests_of
from longtail.serving.storage import load_hybrid

ARTIFACT = "hybrid"
# Of any type: an id is text, whether it comes as text or as a number, and a request that cannot be
# read is refused with a sentence of this project.
ANY = AnyType()  # type: ignore[no-untyped-call]  # MLflow gives it no types
SIGNATURE = ModelSignature(
    inputs=Schema(
        [
            ColSpec(ANY, "user_id", required=False),
            ColSpec(ANY, "item_ids", required=False),
            ColSpec(ANY, "text", required=False),
        ]
    ),
    outputs=Schema(
        [
            ColSpec(DataType.long, "request"),
            ColSpec(DataType.boolean, "known"),
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
        """Load the hybrid, with its language models, and warm it up with one request."""
        self._served = load_hybrid(Path(context.artifacts[ARTIFACT]))
        self._served.recommend(item_ids=[str(self._served.histories.item_ids[0])], text="warm up")

    def predict(
        self,
        context: PythonModelContext,  # noqa: ARG002
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """Return request, known, item_id, rank, score, title, reason.

        Args:
            context: context of MLflow, not used.
            model_input: user_id; or item_ids, the history of an unknown user; and text, what the
                user is looking for.
            params: ``k``, the length of the lists; ``new_item_ids`` and ``new_item_texts``, items
                that are not in the catalogue, to be ranked too.

        Raises:
            RefusedRequest: the request cannot be answered; a server sends its sentence with the
                status 400.
        """
        given = params or {}
        try:
            requests, new_items = requests_of(model_input), new_items_of(given)
            k, n_items = int(given.get("k", 10)), len(self._served.items) + len(new_items)
            if k > n_items:
                raise UserError(f"k = {k} is more than the {n_items} items of the catalogue.")
            # A request is too little work for threads.
            with threadpool_limits(1):
                return self._served.answer(requests, k, new_items)
        except UserError as error:
            raise RefusedRequest(str(error)) from error


mlflow.models.set_model(HybridModel())
