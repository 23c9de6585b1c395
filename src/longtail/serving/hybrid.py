"""The served hybrid: everything that one request needs, in one folder of safe files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from shutil import copytree, ignore_patterns

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from longtail.arrays import Arrays, pack_sparse, unpack_sparse
from longtail.behaviour.histories import Histories
from longtail.errors import UserError
from longtail.models import MODELS
from longtail.models.base import TrainingData
from longtail.models.candidates import FittedModel
from longtail.models.graphs import append_items, keep_strongest, nearer_than_weakest
from longtail.models.hybrid import Hybrid, HybridParameters, recommend_hybrid
from longtail.models.reasons import explain
from longtail.text.encoder import EncoderParameters
from longtail.text.keywords import KeywordTable
from longtail.text.text_map import TextMap

COLUMNS = ["item_id", "rank", "score", "title", "reason"]
# Training curves of a model are looked at in MLflow and are no part of what it serves.
CURVE = "curve."
# The folder of a language model that is no package, and the id under which a sentence is an item.
ENCODER = "encoder"
SENTENCE = ""


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
        keywords: those of all items, and which texts hold them.
        frozen_vectors: (n_items, d) float32 language vectors that behaviour did not adapt.
        frozen_graph: (n_items, n_items) closeness by these.
        text_map: makes vectors of texts that are not in the catalogue.
    """

    hybrid: Hybrid
    parameters: HybridParameters
    sources: dict[str, FittedModel]
    histories: Histories
    item_vectors: NDArray[np.float32]
    behaviour_graph: sp.csr_array
    text_graph: sp.csr_array
    items: pd.DataFrame
    keywords: KeywordTable
    frozen_vectors: NDArray[np.float32]
    frozen_graph: sp.csr_array
    text_map: TextMap

    @cached_property
    def _users(self) -> pd.Index:
        return pd.Index(self.histories.user_ids)

    @cached_property
    def _items(self) -> pd.Index:
        return pd.Index(self.histories.item_ids)

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

    @property
    def data(self) -> TrainingData:
        """What the sources read beside their arrays when they score."""
        n_items = len(self.items)
        return TrainingData(
            self.histories,
            item_vectors=self.item_vectors,
            text_neighbours=self.text_graph,
            frozen_neighbours=self.frozen_graph,
            # An item that came later has no TF-IDF vector, as one without a text.
            tfidf_neighbours=sp.csr_array((n_items, n_items), dtype=np.float32),
        )

    def recommend(
        self,
        user_id: str | None = None,
        item_ids: Sequence[str] | None = None,
        k: int = 10,
        text: str | None = None,
        new_items: Mapping[str, str] | None = None,
    ) -> pd.DataFrame:
        """Return the best k items for one user: item_id, rank (from 1), score, title, reason.

        A sentence and new items are read as items of the catalogue that nobody has yet: every
        source that reads text speaks for them, nothing is fitted anew.

        Args:
            user_id: a user that the models know; somebody else is treated as a user without items.
            item_ids: what an unknown user has, the latest last; items that are not in the catalogue
                are left aside. Given together with a user id, they count and not the user's own.
            k: length of the list.
            text: what the user looks for, a sentence; it counts as the latest item of the user.
            new_items: texts of items that are not in the catalogue, by their ids; they are ranked
                together with the others.

        Raises:
            UserError: neither a user nor items nor a text are given, k is not positive, a new item
                is in the catalogue, or a source cannot place items that it was not fitted on.
        """
        if user_id is None and item_ids is None and not text:
            raise UserError(
                "Give a user_id, or item_ids or a text: what a user unknown to the model has, or"
                " looks for."
            )
        if k < 1:
            raise UserError(f"The length of a list, k = {k}, must be at least 1.")
        if text or new_items:
            more = dict(new_items or {}) | ({SENTENCE: text} if text else {})
            larger = self.with_items(more)
            if text:
                item_ids = [
                    *(item_ids if item_ids is not None else self._ids_of(user_id)),
                    SENTENCE,
                ]
            return larger.recommend(user_id, item_ids, k)
        user = -1 if item_ids is not None else int(self._users.get_indexer(pd.Index([user_id]))[0])
        history = self._own(user) if user >= 0 else self._given(item_ids or ())
        data = replace(self.data, histories=history)
        sources = {
            name: _row_of(model, user) if user >= 0 else _folded_in(model, data)
            for name, model in self.sources.items()
        }
        table = recommend_hybrid(self.hybrid, sources, data, np.array([0]), k, self.parameters)
        reasons = explain(
            table,
            history,
            titles=self.items["title"],
            keywords=self.keywords,
            behaviour_graph=self.behaviour_graph,
            text_graph=self.text_graph,
            descriptions={name: MODELS[name].evidence for name in self.sources},
        )
        return table.assign(title=reasons["title"], reason=reasons["sentence"])[COLUMNS]

    def with_items(self, texts: Mapping[str, str]) -> ServedHybrid:
        """Return the hybrid with more items, of which nothing is known but their texts.

        Args:
            texts: by item id; the title that is shown is the first sentence.

        Raises:
            UserError: an item is in the catalogue, or a source cannot place new items.
        """
        if known := sorted(set(texts) & set(self.items["item_id"])):
            raise UserError(f"These new items are in the catalogue already: {', '.join(known)}.")
        vectors, frozen = self.text_map.vectors(list(texts.values()))
        titles = [text.partition(". ")[0] for text in texts.values()]
        added = pd.DataFrame(
            {"item_id": list(texts), "title": titles, "text": list(texts.values()), "keywords": ""}
        )
        items = pd.concat([self.items, added], ignore_index=True)
        behaviour_graph = self.behaviour_graph.copy()
        behaviour_graph.resize(len(items), len(items))
        item_vectors = np.concatenate([self.item_vectors, vectors])
        frozen_vectors = np.concatenate([self.frozen_vectors, frozen])
        larger = replace(
            self,
            histories=replace(self.histories, item_ids=items["item_id"].to_numpy(dtype=object)),
            item_vectors=item_vectors,
            behaviour_graph=behaviour_graph,
            text_graph=_with_vectors(self.text_graph, item_vectors),
            items=items,
            keywords=self.keywords.with_texts(list(texts.values())),
            frozen_vectors=frozen_vectors,
            frozen_graph=_with_vectors(self.frozen_graph, frozen_vectors),
        )
        data = larger.data
        sources = {
            name: replace(model, arrays=model.recommender.add_items(model.arrays, data))
            for name, model in self.sources.items()
        }
        return replace(larger, sources=sources)

    def _ids_of(self, user_id: str | None) -> list[str]:
        """Return what a user has, the latest last; nothing for somebody unknown."""
        user = int(self._users.get_indexer(pd.Index([user_id]))[0])
        return [] if user < 0 else self.histories.item_ids[self._own(user).items].tolist()

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
            "encoder": self.text_map.encoder.model_dump(mode="json"),
            "sources": {
                name: model.recommender.model_dump(mode="json")
                for name, model in self.sources.items()
            },
        }
        (folder / "hybrid.json").write_text(json.dumps(description, indent=1), encoding="utf-8")
        save_file(self._arrays(), folder / "arrays.safetensors")
        self.items.to_parquet(folder / "items.parquet", index=False)
        pd.DataFrame({"user_id": self.histories.user_ids}).to_parquet(folder / "users.parquet")
        model = Path(self.text_map.encoder.model)
        if model.is_dir():
            copytree(model, folder / ENCODER, ignore=ignore_patterns("*.md"), dirs_exist_ok=True)

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
        arrays["frozen_vectors"] = self.frozen_vectors
        for name in ("behaviour_graph", "text_graph", "frozen_graph"):
            arrays |= pack_sparse(name, getattr(self, name))
        for name in ("language", "adapted"):
            parts: Arrays = getattr(self.text_map, name)
            arrays |= {f"text_map.{name}.{part}": array for part, array in parts.items()}
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
            name: FittedModel(MODELS[name](**setting), _below(f"source.{name}.", arrays))
            for name, setting in description["sources"].items()
        }
        encoder = EncoderParameters(**description["encoder"])
        if (folder / ENCODER).is_dir():
            encoder = encoder.model_copy(update={"model": str(folder / ENCODER)})
        return cls(
            hybrid=Hybrid.from_json(description["gate"]),
            parameters=HybridParameters(**description["parameters"]),
            sources=sources,
            histories=histories,
            item_vectors=arrays["item_vectors"],
            behaviour_graph=unpack_sparse("behaviour_graph", arrays),
            text_graph=unpack_sparse("text_graph", arrays),
            items=items,
            keywords=KeywordTable.of(items["text"], items["keywords"]),
            frozen_vectors=arrays["frozen_vectors"],
            frozen_graph=unpack_sparse("frozen_graph", arrays),
            text_map=TextMap(
                encoder,
                language=_below("text_map.language.", arrays),
                adapted=_below("text_map.adapted.", arrays),
            ),
        )


def _with_vectors(graph: sp.csr_array, vectors: NDArray[np.float32]) -> sp.csr_array:
    """Return the graph with the neighbours of vectors that have come to the end.

    An item gains those that are nearer than its weakest neighbour, and those that it is a neighbour
    of itself: a sentence is seldom as near to an item as other items are.
    """
    n_items = graph.shape[0]
    cosines = np.maximum(vectors[n_items:] @ vectors.T, 0)
    own = np.arange(len(cosines))
    cosines[own, n_items + own] = 0
    neighbours = int(np.diff(graph.indptr).max(initial=0))
    below = keep_strongest(sp.csr_array(cosines), neighbours)
    beside = nearer_than_weakest(sp.csr_array(cosines[:, :n_items].T), graph, neighbours)
    return append_items(graph, sp.csr_array(beside.maximum(below[:, :n_items].T)), below)


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
