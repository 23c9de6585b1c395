"""The served hybrid: ranked lists with reasons for one user at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from longtail.behaviour.histories import Histories
from longtail.errors import UserError
from longtail.hybrid.model import Hybrid
from longtail.hybrid.parameters import HybridParameters
from longtail.hybrid.ranking import recommend_hybrid
from longtail.hybrid.reasons import explain
from longtail.item_graphs.graphs import add_by_vectors
from longtail.recommenders.base import TrainingData
from longtail.recommenders.fitted_model import FittedModel
from longtail.recommenders.item_features import PRICE, TEXT_ATTRIBUTES, ItemFeatures
from longtail.recommenders.registry import MODELS
from longtail.serving.histories import HistoryLookup
from longtail.text.keywords import KeywordTable
from longtail.text.text_map import TextMap

COLUMNS = ["item_id", "rank", "score", "title", "reason"]
ATTRIBUTES = (*TEXT_ATTRIBUTES, PRICE)
# Item id of the text of a request, which is handled as an item of the user.
REQUEST = ""


@dataclass(frozen=True)
class ServedHybrid:
    """A fitted hybrid with its sources and everything that lists and reasons need.

    Attributes:
        hybrid: gate and tail emphasis.
        parameters: parameters of the hybrid.
        sources: fitted models of the sources, by name.
        histories: the histories that the models were fitted on.
        item_vectors: (n_items, d) float32 language vectors.
        behaviour_graph: (n_items, n_items) co-consumption.
        text_graph: (n_items, n_items) text neighbours.
        items: item_id, title, text, keywords in catalogue order; where a source reads them also
            categories, brand and price.
        keywords: keyword table of all items.
        frozen_vectors: (n_items, d) float32 frozen language vectors.
        frozen_graph: (n_items, n_items) text neighbours by the frozen vectors.
        text_map: returns the vectors of new texts.
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
    def _lookup(self) -> HistoryLookup:
        return HistoryLookup(self.histories)

    @cached_property
    def data(self) -> TrainingData:
        """What the sources read in addition to their arrays when they score."""
        n_items = len(self.items)
        return TrainingData(
            self.histories,
            ItemFeatures(
                vectors=self.item_vectors,
                text_neighbours=self.text_graph,
                frozen_neighbours=self.frozen_graph,
                texts=self.items["text"].to_numpy(dtype=object),
                attributes=self.items[[name for name in ATTRIBUTES if name in self.items]],
                encoder=self.text_map.encoder,
                # New items have no TF-IDF vectors, so these neighbours are not served.
                tfidf_neighbours=sp.csr_array((n_items, n_items), dtype=np.float32),
            ),
        )

    def recommend(
        self,
        user_id: str | None = None,
        item_ids: Sequence[str] | None = None,
        k: int = 10,
        text: str | None = None,
        new_items: Mapping[str, str] | None = None,
    ) -> pd.DataFrame:
        """Return the top-k list of one user: item_id, rank (from 1), score, title, reason.

        A text and new items are handled as catalogue items without interactions: sources that read
        text can score them, and nothing is refitted.

        Args:
            user_id: a user of the fitted data; an unknown one has no history.
            item_ids: the history of the user, the latest last, in place of that of the user id;
                unknown items are ignored. What the user id dislikes is still not listed.
            k: length of the list.
            text: what the user is looking for; it counts as the latest item of the user.
            new_items: texts of items that are not in the catalogue, by item id, to be ranked too.

        Raises:
            UserError: neither a user nor items nor a text are given, k is below 1, a new item is
                in the catalogue, or a source cannot score new items.
        """
        if user_id is None and item_ids is None and not text:
            raise UserError(
                "Give a user_id, or item_ids (the history of an unknown user), or a text (what the"
                " user is looking for)."
            )
        if k < 1:
            raise UserError(f"The length of a list, k = {k}, must be at least 1.")
        if text or new_items:
            larger = self.with_items({**(new_items or {}), **({REQUEST: text} if text else {})})
            if text:
                chosen = self._lookup.item_ids_of(user_id) if item_ids is None else item_ids
                item_ids = [*chosen, REQUEST]
            return larger.recommend(user_id, item_ids, k)
        user = -1 if item_ids is not None else self._lookup.user_index(user_id)
        if user >= 0:
            return self._recommend(self._lookup.of_user(user), user, k)
        return self._recommend(self._lookup.of_items(item_ids or (), user_id), None, k)

    def _recommend(self, history: Histories, user: int | None, k: int) -> pd.DataFrame:
        """Return the top-k list for the history of one user, a fitted one or None."""
        data = replace(self.data, histories=history)
        sources = {
            name: _folded_in(model, data) if user is None else _row_of(model, user)
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
        """Return the hybrid with new items, of which only the texts are known.

        Args:
            texts: by item id; the first sentence of a text is its title.

        Raises:
            UserError: an item is in the catalogue, or a source cannot score new items.
        """
        if known := sorted(set(texts) & set(self.items["item_id"])):
            raise UserError(f"These new items are in the catalogue already: {', '.join(known)}.")
        vectors, frozen = self.text_map.vectors(list(texts.values()))
        titles = [text.partition(". ")[0] for text in texts.values()]
        added = pd.DataFrame(
            {"item_id": list(texts), "title": titles, "text": list(texts.values()), "keywords": ""}
        )
        unknown = dict.fromkeys(TEXT_ATTRIBUTES, "") | {PRICE: np.nan}
        added = added.assign(**{n: value for n, value in unknown.items() if n in self.items})
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
            text_graph=add_by_vectors(self.text_graph, item_vectors),
            items=items,
            keywords=self.keywords.with_texts(list(texts.values())),
            frozen_vectors=frozen_vectors,
            frozen_graph=add_by_vectors(self.frozen_graph, frozen_vectors),
        )
        data = larger.data
        sources = {
            name: replace(model, arrays=model.recommender.add_items(model.arrays, data))
            for name, model in self.sources.items()
        }
        return replace(larger, sources=sources)


def _row_of(model: FittedModel, user: int) -> FittedModel:
    """Return the model with the row of one fitted user."""
    learned = [name for name in model.recommender.user_arrays if name in model.arrays]
    rows = {name: model.arrays[name][user : user + 1] for name in learned}
    return FittedModel(model.recommender, model.arrays | rows)


def _folded_in(model: FittedModel, data: TrainingData) -> FittedModel:
    """Return the model with a row for the user of the data, who was not fitted."""
    return FittedModel(model.recommender, model.recommender.fold_in(model.arrays, data))
