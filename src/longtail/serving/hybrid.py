"""The served hybrid: ranked lists with reasons, for users of the log and for others."""

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
from longtail.hybrid.ranking import COMMON_EVIDENCE, recommend_hybrid
from longtail.hybrid.reasons import explain, shortened
from longtail.item_graphs.graphs import add_by_vectors
from longtail.recommenders.base import TrainingData
from longtail.recommenders.fitted_model import FittedModel
from longtail.recommenders.item_features import PRICE, TEXT_ATTRIBUTES, ItemFeatures
from longtail.recommenders.registry import MODELS
from longtail.serving.histories import HistoryLookup
from longtail.serving.new_items import NearestInText, enlarged, place
from longtail.text.keywords import KeywordTable
from longtail.text.search import TextSearch
from longtail.text.text_map import TextMap

COLUMNS = ["item_id", "rank", "score", "title", "reason"]
ATTRIBUTES = (*TEXT_ATTRIBUTES, PRICE)
# Users whose lists are made and explained at once, which bounds memory.
USERS_AT_ONCE = 2000
# A request for a text ranks by the match with it. What is known of the user counts a quarter of a
# full match; without a history, popularity only settles ties.
TASTE = 0.25
POPULARITY = 0.01
# Matches of a text whose order the taste of the user may change.
MATCHES = 200


@dataclass(frozen=True)
class Request:
    """Who wants a list, and of what.

    Attributes:
        user_id: a user of the log; an unknown one has no history.
        item_ids: the history of the user, the latest last, in place of that of the user id; unknown
            items are ignored.
        text: what the user is looking for.
        weights: how strongly each of the items was chosen, in the unit of the log's weights; None:
            all alike.
    """

    user_id: str | None = None
    item_ids: Sequence[str] | None = None
    text: str | None = None
    weights: Sequence[float] | None = None


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
        enlarged_search: the search in a catalogue that new items were added to; None: ``items`` are
            those of the fitted catalogue.
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
    enlarged_search: TextSearch | None = None

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
            networks={},
        )

    @cached_property
    def search(self) -> TextSearch:
        """The words and the frozen vectors of the items, which requests in words are matched with.

        Frozen, because adapted vectors are near where items are chosen together, too.
        """
        if self.enlarged_search is not None:
            return self.enlarged_search
        return TextSearch.of(self.items["title"], self.items["text"], self.frozen_vectors)

    def recommend(
        self,
        user_id: str | None = None,
        item_ids: Sequence[str] | None = None,
        k: int = 10,
        text: str | None = None,
        new_items: Mapping[str, str] | None = None,
    ) -> pd.DataFrame:
        """Return the top-k list of one user: item_id, rank (from 1), score, title, reason.

        See ``answer``.
        """
        return self.answer([Request(user_id, item_ids, text)], k, new_items)[COLUMNS]

    def answer(
        self, requests: Sequence[Request], k: int = 10, new_items: Mapping[str, str] | None = None
    ) -> pd.DataFrame:
        """Return the top-k lists of requests, without the items that a user has.

        Nothing is refitted. A text ranks the items by how well they match it, see ``Matches``;
        items that do not match it follow in the order of the user's list.

        Args:
            requests: any mix of users of the log, other users with their items, and texts.
            k: length of the lists.
            new_items: texts of items that are not in the catalogue, by item id, to be ranked too.

        Returns:
            request (the position of the request), known (whether the log has the user), item_id,
            rank (from 1), score, title, reason; sorted by request and rank.

        Raises:
            UserError: a request has neither a user nor items nor a text, k is below 1, or a new
                item is in the catalogue.
        """
        for request in requests:
            if request.user_id is None and request.item_ids is None and not request.text:
                raise UserError(
                    "Give a user_id, or item_ids (the history of an unknown user), or a text (what"
                    " the user is looking for)."
                )
        if k < 1:
            raise UserError(f"The length of a list, k = {k}, must be at least 1.")
        if new_items:
            return self.with_items(new_items).answer(requests, k)
        users = self._lookup.user_indices([request.user_id for request in requests])
        in_log = users >= 0
        given = np.array([request.item_ids is not None for request in requests], dtype=bool)
        by_text = np.array([bool(request.text) for request in requests], dtype=bool)
        parts = []
        for rows in (in_log & ~given & ~by_text, ~by_text & (given | ~in_log)):
            chosen = np.flatnonzero(rows)
            if len(chosen):
                found = self._lists([requests[int(row)] for row in chosen], users[chosen], k)
                parts.append(found.assign(request=chosen[found["request"].to_numpy()]))
        for row in np.flatnonzero(by_text):
            found = self._search([requests[int(row)]], users[[row]], k)
            parts.append(found.assign(request=row))
        if not parts:
            return pd.DataFrame(columns=["request", "known", *COLUMNS])
        table = pd.concat(parts, ignore_index=True).sort_values(
            ["request", "rank"], kind="stable", ignore_index=True
        )
        return table.assign(known=in_log[table["request"].to_numpy()])[
            ["request", "known", *COLUMNS]
        ]

    def lists_of_all(self, k: int) -> pd.DataFrame:
        """Return the top-k lists of all users of the log: user_id, then ``COLUMNS``."""
        user_ids, parts = self.histories.user_ids, []
        for start in range(0, len(user_ids), USERS_AT_ONCE):
            block = user_ids[start : start + USERS_AT_ONCE]
            lists = self.answer([Request(str(user)) for user in block], k)
            parts.append(lists.assign(user_id=block[lists["request"].to_numpy()]))
        return pd.concat(parts, ignore_index=True)[["user_id", *COLUMNS]]

    def in_log(self, user_ids: Sequence[str | None]) -> NDArray[np.bool_]:
        """Return whether the log has each user."""
        known: NDArray[np.bool_] = self._lookup.user_indices(user_ids) >= 0
        return known

    def unknown_items(self, item_ids: Sequence[str]) -> list[str]:
        """Return the ids that the catalogue does not have, each once."""
        return self._lookup.unknown_items(item_ids)

    def _histories_of(self, requests: Sequence[Request], users: NDArray[np.int64]) -> Histories:
        """Return the histories of requests, all of which give items or none of which does."""
        if all(request.item_ids is None for request in requests) and (users >= 0).all():
            return self._lookup.of_users(users)
        return self._lookup.of_lists(
            [request.item_ids or () for request in requests],
            [request.weights for request in requests],
            [request.user_id for request in requests],
        )

    def _lists(
        self,
        requests: Sequence[Request],
        users: NDArray[np.int64],
        k: int,
        candidates: NDArray[np.bool_] | None = None,
    ) -> pd.DataFrame:
        """Return request and ``COLUMNS`` for users of the log or for other users.

        Args:
            requests: either all of users of the log without items of their own, or none.
            users: (n,) their indices; -1 for users who are not in the log.
            k: length of the lists.
            candidates: (n_items,) items that may be listed; None: all.
        """
        histories = self._histories_of(requests, users)
        in_log = all(request.item_ids is None for request in requests) and bool((users >= 0).all())
        data = replace(self.data, histories=histories)
        sources = {
            name: _of_users(model, users) if in_log else _folded_in(model, data)
            for name, model in self.sources.items()
        }
        everyone = np.arange(len(requests))
        table = recommend_hybrid(
            self.hybrid, sources, data, everyone, k, self.parameters, candidates
        )
        reasons = explain(
            table,
            histories,
            titles=self.items["title"],
            keywords=self.keywords,
            behaviour_graph=self.behaviour_graph,
            text_graph=self.text_graph,
            descriptions={name: MODELS[name].evidence for name in self.sources} | COMMON_EVIDENCE,
        )
        return table.assign(
            request=table["user_id"].astype(np.int64),
            title=reasons["title"],
            reason=reasons["sentence"],
        )[["request", *COLUMNS]]

    def _search(
        self, requests: Sequence[Request], users: NDArray[np.int64], k: int
    ) -> pd.DataFrame:
        """Return the list of one request with a text."""
        text = str(requests[0].text)
        own = self._histories_of(requests, users).items
        matches = self.search.match([""], [text], self.text_map.vectors([text])[1])
        score, by_words = matches.score[0], matches.by_words[0]
        matching = by_words | matches.by_meaning[0]
        matching[own] = False
        # The best matches; taste decides among equals, not on what matches.
        best = np.argsort(-np.where(matching, score, -1), kind="stable")[: max(k, MATCHES)]
        candidates = np.zeros(len(score), dtype=bool)
        candidates[best] = matching[best]
        parts = []
        quoted = f"your request '{shortened(text.partition('. ')[0])}'"
        if candidates.any():
            found = self._lists(requests, users, int(candidates.sum()), candidates)
            items = pd.Index(self.items["item_id"]).get_indexer(pd.Index(found["item_id"]))
            weight = TASTE if len(own) else POPULARITY
            words = self.search.shared_words(text, items)
            head = [
                f"Matches {quoted} ({shared})." if there else f"Close in meaning to {quoted}."
                for shared, there in zip(words, by_words[items], strict=True)
            ]
            reason = pd.Series(head) + (" " + found["reason"] if len(own) else "")
            found = found.assign(
                score=score[items] + weight * (1 - (found["rank"] - 1) / len(found)), reason=reason
            )
            parts.append(found.sort_values("score", ascending=False, kind="stable"))
        n_found = int(candidates.sum())
        if n_found < k:
            rest = self._lists(requests, users, k, ~candidates)
            # Below every match, and still descending.
            below = POPULARITY * (1 - rest["rank"] / (len(rest) + 1))
            reason = f"Does not match {quoted}. " + rest["reason"]
            parts.append(rest.assign(score=below, reason=reason))
        table = pd.concat(parts, ignore_index=True).head(k)
        return table.assign(rank=np.arange(1, len(table) + 1))

    def with_items(self, texts: Mapping[str, str]) -> ServedHybrid:
        """Return the hybrid with new items, of which only the texts are known.

        Args:
            texts: by item id; the first sentence of a text is its title.

        Raises:
            UserError: an item is in the catalogue.
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
        nearest = NearestInText.of(self.search.match(titles, list(texts.values()), frozen).score)
        larger = replace(
            self,
            histories=enlarged(self.histories, items["item_id"].to_numpy(dtype=object), nearest),
            item_vectors=item_vectors,
            behaviour_graph=behaviour_graph,
            text_graph=add_by_vectors(self.text_graph, item_vectors),
            items=items,
            keywords=self.keywords.with_texts(list(texts.values())),
            frozen_vectors=frozen_vectors,
            frozen_graph=add_by_vectors(self.frozen_graph, frozen_vectors),
            enlarged_search=self.search.with_items(titles, list(texts.values()), frozen),
        )
        sources = {
            name: place(model, self.data, larger.data, nearest)
            for name, model in self.sources.items()
        }
        return replace(larger, sources=sources)


def _of_users(model: FittedModel, users: NDArray[np.int64]) -> FittedModel:
    """Return the model with the rows of some fitted users."""
    return replace(model, arrays=model.recommender.rows_of(model.arrays, users))


def _folded_in(model: FittedModel, data: TrainingData) -> FittedModel:
    """Return the model with rows for the users of the data, who were not fitted."""
    return replace(model, arrays=model.recommender.fold_in(model.arrays, data))
