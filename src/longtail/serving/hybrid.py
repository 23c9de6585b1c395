"""The served hybrid: everything that one request needs, in one folder of safe files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from longtail.arrays import Arrays, pack_sparse, unpack_sparse
from longtail.behaviour.histories import Histories
from longtail.errors import UserError
from longtail.models import COLLABORATIVE, LANGUAGE
from longtail.models.base import TrainingData
from longtail.models.candidates import FittedModel
from longtail.models.hybrid import Hybrid, HybridParameters, recommend_hybrid
from longtail.models.reasons import explain
from longtail.text.keywords import KeywordTable

SOURCES = COLLABORATIVE | LANGUAGE
COLUMNS = ["item_id", "rank", "score", "title", "reason"]
# Training curves of a model are looked at in MLflow and are no part of what it serves.
CURVE = "curve."


@dataclass(frozen=True)
class ServedHybrid:
    """A fitted hybrid with its sources and what its reasons are made of.

    Attributes:
        hybrid: gate and tail knob.
        parameters: how candidates are found.
        sources: the fitted models that the hybrid joins.
        histories: what the users had when the models were fitted.
        item_vectors: (n_items, d) float32 language vectors.
        behaviour_graph: (n_items, n_items) closeness by co-consumption.
        text_graph: (n_items, n_items) closeness by text.
        items: item_id, title, text, keywords in catalogue order.
    """

    hybrid: Hybrid
    parameters: HybridParameters
    sources: dict[str, FittedModel]
    histories: Histories
    item_vectors: NDArray[np.float32]
    behaviour_graph: sp.csr_array
    text_graph: sp.csr_array
    items: pd.DataFrame

    @cached_property
    def _users(self) -> pd.Index:
        return pd.Index(self.histories.user_ids)

    @cached_property
    def _items(self) -> pd.Index:
        return pd.Index(self.histories.item_ids)

    @cached_property
    def _keywords(self) -> KeywordTable:
        return KeywordTable.of(self.items["text"], self.items["keywords"])

    @cached_property
    def _nobody(self) -> Histories:
        """Return the history of somebody who has nothing yet."""
        return Histories(
            user_ids=np.array([""], dtype=object),
            item_ids=self.histories.item_ids,
            users=np.empty(0, np.int32),
            items=np.empty(0, np.int32),
            weights=np.empty(0, np.float32),
            timestamps=np.empty(0, np.float64),
            reference=self.histories,
        )

    def recommend(
        self, user_id: str | None = None, item_ids: Sequence[str] | None = None, k: int = 10
    ) -> pd.DataFrame:
        """Return the best k items for one user: item_id, rank (from 1), score, title, reason.

        Args:
            user_id: a user that the models know; somebody else is treated as a user without items.
            item_ids: what an unknown user has, the latest last; items that are not in the catalogue
                are left aside. Given together with a user id, they count and not the user's own.
            k: length of the list.

        Raises:
            UserError: neither a user nor items are given, or k is not positive.
        """
        if user_id is None and item_ids is None:
            raise UserError("Give a user_id, or item_ids: what a user unknown to the model has.")
        if k < 1:
            raise UserError(f"The length of a list, k = {k}, must be at least 1.")
        user = -1 if item_ids is not None else int(self._users.get_indexer(pd.Index([user_id]))[0])
        history = self._own(user) if user >= 0 else self._given(item_ids or ())
        data = TrainingData(
            history, item_vectors=self.item_vectors, text_neighbours=self.text_graph
        )
        sources = {
            name: _row_of(model, user) if user >= 0 else _folded_in(model, data)
            for name, model in self.sources.items()
        }
        table = recommend_hybrid(self.hybrid, sources, data, np.array([0]), k, self.parameters)
        reasons = explain(
            table,
            history,
            titles=self.items["title"],
            keywords=self._keywords,
            behaviour_graph=self.behaviour_graph,
            text_graph=self.text_graph,
            descriptions={name: SOURCES[name].evidence for name in self.sources},
        )
        return table.assign(title=reasons["title"], reason=reasons["sentence"])[COLUMNS]

    def _own(self, user: int) -> Histories:
        """Return the history of a known user."""
        first, last = np.searchsorted(self.histories.users, [user, user + 1])
        return replace(
            self._nobody,
            users=np.zeros(last - first, np.int32),
            items=self.histories.items[first:last],
            weights=self.histories.weights[first:last],
            timestamps=self.histories.timestamps[first:last],
        )

    def _given(self, item_ids: Sequence[str]) -> Histories:
        """Return a history of given items, each as sure as a usual interaction."""
        found = self._items.get_indexer(
            pd.Index(list(dict.fromkeys(reversed(item_ids))), dtype=object)
        )[::-1]
        items = found[found >= 0].astype(np.int32)
        usual = np.median(self.histories.weights)
        return replace(
            self._nobody,
            users=np.zeros(len(items), np.int32),
            items=items,
            weights=np.full(len(items), usual, np.float32),
            timestamps=np.arange(len(items), dtype=np.float64),
        )

    def save(self, folder: Path) -> None:
        """Write the hybrid into a folder: JSON, safetensors and Parquet."""
        folder.mkdir(parents=True, exist_ok=True)
        description = {
            "parameters": self.parameters.model_dump(mode="json"),
            "gate": self.hybrid.to_json(),
            "sources": {
                name: model.recommender.model_dump(mode="json")
                for name, model in self.sources.items()
            },
        }
        (folder / "hybrid.json").write_text(json.dumps(description, indent=1), encoding="utf-8")
        save_file(self._arrays(), folder / "arrays.safetensors")
        self.items.to_parquet(folder / "items.parquet", index=False)
        pd.DataFrame({"user_id": self.histories.user_ids}).to_parquet(folder / "users.parquet")

    def _arrays(self) -> Arrays:
        arrays = {
            f"source.{source}.{name}": array
            for source, model in self.sources.items()
            for name, array in model.arrays.items()
            if not name.startswith(CURVE)
        }
        for name in ("users", "items", "weights", "timestamps"):
            arrays[f"histories.{name}"] = getattr(self.histories, name)
        arrays["item_vectors"] = self.item_vectors
        arrays |= pack_sparse("behaviour_graph", self.behaviour_graph)
        arrays |= pack_sparse("text_graph", self.text_graph)
        return {name: np.ascontiguousarray(array) for name, array in arrays.items()}

    @classmethod
    def load(cls, folder: Path) -> ServedHybrid:
        """Read what ``save`` wrote."""
        description = json.loads((folder / "hybrid.json").read_text(encoding="utf-8"))
        arrays = load_file(folder / "arrays.safetensors")
        items = pd.read_parquet(folder / "items.parquet")
        users = pd.read_parquet(folder / "users.parquet")
        histories = Histories(
            user_ids=users["user_id"].to_numpy(dtype=object),
            item_ids=items["item_id"].to_numpy(dtype=object),
            users=arrays["histories.users"],
            items=arrays["histories.items"],
            weights=arrays["histories.weights"],
            timestamps=arrays["histories.timestamps"],
        )
        sources = {
            name: FittedModel(SOURCES[name](**setting), _below(f"source.{name}.", arrays))
            for name, setting in description["sources"].items()
        }
        return cls(
            hybrid=Hybrid.from_json(description["gate"]),
            parameters=HybridParameters(**description["parameters"]),
            sources=sources,
            histories=histories,
            item_vectors=arrays["item_vectors"],
            behaviour_graph=unpack_sparse("behaviour_graph", arrays),
            text_graph=unpack_sparse("text_graph", arrays),
            items=items,
        )


def _row_of(model: FittedModel, user: int) -> FittedModel:
    """Return the model with the row of one user that it was fitted on."""
    rows = {name: model.arrays[name][user : user + 1] for name in model.recommender.user_arrays}
    return FittedModel(model.recommender, model.arrays | rows)


def _folded_in(model: FittedModel, data: TrainingData) -> FittedModel:
    """Return the model with a row for a user that it was not fitted on."""
    return FittedModel(model.recommender, model.recommender.fold_in(model.arrays, data))


def _below(prefix: str, arrays: Arrays) -> Arrays:
    """Return the arrays whose names begin with a prefix, without it."""
    return {
        name.removeprefix(prefix): array
        for name, array in arrays.items()
        if name.startswith(prefix)
    }
