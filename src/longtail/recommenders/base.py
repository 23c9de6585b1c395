"""What a recommender is: hyper-parameters that can be fitted and can score.

A recommender is a frozen set of hyper-parameters. ``fit`` returns what was learned as plain arrays
and ``score`` reads them again, so that any fitted model is stored as JSON plus safetensors.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import cycle
from typing import Annotated, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from longtail.arrays import Arrays, content_digest
from longtail.behaviour.histories import Histories
from longtail.recommenders.item_features import ItemFeatures

Decay = Annotated[
    float,
    Field(
        gt=0,
        le=1,
        description="Weight of an item relative to the next newer one; 1: all count alike.",
    ),
]
# What tuning tries in models of recent taste.
RECENT_DECAYS = [0.5, 0.7, 0.85]

DISLIKE_WEIGHT = "dislike_weight"


@dataclass(frozen=True)
class TrainingData:
    """What a model may learn from.

    Attributes:
        histories: past behaviour.
        items: features of the items; empty where only collaborative models are fitted.
        seed: seed of everything random.
        checkpoints: where an unfinished training leaves its state, by a hash of all that it
            depends on; forgotten with the process unless a store on disk is given.
        networks: keeps the networks of fitted models between calls, by model and weights; None:
            each call loads its own.
        ratings: (n,) float32 stars of the interactions of the histories, NaN where unknown; empty
            but in the study of ratings.
    """

    histories: Histories
    items: ItemFeatures = field(default_factory=ItemFeatures)
    seed: int = 42
    checkpoints: MutableMapping[str, Arrays] = field(default_factory=dict, repr=False)
    ratings: NDArray[np.float32] = field(default_factory=lambda: np.empty(0, np.float32))
    networks: MutableMapping[Hashable, Any] | None = field(default=None, repr=False)

    def digest(self, features: Sequence[str]) -> str:
        """Return a hash of the histories, the seed and some of the item features.

        Args:
            features: names of the features that the result depends on.
        """
        if self._digests.get("histories") is None:
            arrays = self.histories.to_arrays() | {"ratings": self.ratings}
            self._digests["histories"] = content_digest(arrays)
        parts = [self._digests["histories"], str(self.seed)]
        for name in sorted(features):
            if name not in self._digests:
                only = replace(ItemFeatures(), **{name: getattr(self.items, name)})
                self._digests[name] = content_digest(only.to_arrays())
            parts += [name, self._digests[name]]
        return content_digest({"parts": np.array(parts, dtype=object)})

    @cached_property
    def _digests(self) -> dict[str, str]:
        return {}


class Recommender(BaseModel, ABC):
    """Hyper-parameters of one recommender, with the functions that fit it and score with it.

    Attributes:
        search_space: what tuning may vary, by field: a list of choices, or the two ends of a range
            that is searched on a logarithmic scale.
        starting_points: settings that tuning tries first, so that a small budget is well spent.
        evidence: what a high score rests on, as a phrase for reasons.
        user_arrays: fitted arrays with one row per user; a setting may leave them out.
        reads: item features that the model reads beside the histories.
        places_items: whether ``add_items`` places an item of which only the text is known.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    search_space: ClassVar[Mapping[str, list[Any] | tuple[float, float]]] = {}
    starting_points: ClassVar[tuple[Mapping[str, Any], ...]] = ()
    evidence: ClassVar[str] = "the model's score"
    user_arrays: ClassVar[tuple[str, ...]] = ()
    reads: ClassVar[tuple[str, ...]] = ()
    places_items: ClassVar[bool] = False

    @classmethod
    def space_for(cls, data: TrainingData) -> dict[str, list[Any] | tuple[float, float]]:
        """Return what tuning may vary on the data: a weight of dislikes only if there are any."""
        disliked = len(data.histories.disliked_items) > 0
        return {k: span for k, span in cls.search_space.items() if disliked or k != DISLIKE_WEIGHT}

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

    def for_refit(self, arrays: Arrays) -> Self:
        """Return the hyper-parameters with which the model is fitted anew on more data.

        Args:
            arrays: what was learned with these hyper-parameters.
        """
        return self

    def rows_of(self, arrays: Arrays, users: NDArray[np.int64]) -> Arrays:
        """Return the fitted arrays of some users, who become users 0, 1, ... in this order."""
        own = {name: arrays[name][users] for name in self.user_arrays if name in arrays}
        return arrays | own

    def add_items(self, arrays: Arrays, data: TrainingData) -> Arrays:
        """Return the fitted arrays for a catalogue that has more items, without fitting anew.

        Only models that score an item from its text alone (``places_items``) have it.

        Args:
            arrays: fitted on the first items of the catalogue.
            data: with all items; of those at the end nothing is known but vectors and neighbours.
        """
        raise NotImplementedError(f"{type(self).__name__} scores no item that it was not fitted on")


def with_decays(points: Sequence[Mapping[str, Any]]) -> tuple[Mapping[str, Any], ...]:
    """Return starting points that take the decays 0.7, 0.85 and 0.5 in turn."""
    decays = cycle((0.7, 0.85, 0.5))
    return tuple(
        {**point, "recency_decay": decay} for point, decay in zip(points, decays, strict=False)
    )
