"""A feed-forward network that predicts interactions, with augmentations for quiet users."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from longtail.arrays import Arrays
from longtail.behaviour.histories import Histories
from longtail.recommenders.base import Decay, TrainingData
from longtail.recommenders.neural.context import (
    CONTEXT,
    ItemContext,
    comparable_times,
)
from longtail.recommenders.neural.negatives import Owned, TextNeighbours
from longtail.recommenders.neural.sequences import Sequences, keep_at_random
from longtail.recommenders.neural.training import (
    NetworkRecommender,
    Objective,
    device_of,
    score_in_blocks,
)

SCORED_AT_ONCE = 32
NEIGHBOURS_DRAWN_FROM = 10
FIRST_MATCH_WEIGHT = 2.0
NOT_AUGMENTED = "neither"


SIDE = ("profile_cosine", "closest_cosine", "log_history_length", *CONTEXT)


class InterestLayers(nn.Module):
    """Scores users (n, 1, size) and items (n or 1, m, size) with (n, m, k) side features."""

    known: Tensor

    def __init__(self, n_items: int, size: int, dimensions: int, hidden: int, dropout: float):
        super().__init__()
        # Context of the items at the end of the training data, for scoring.
        self.register_buffer("known", torch.zeros(n_items, len(CONTEXT)))
        # The leading axes, scaled so that the entries of a projected unit vector are about 1.
        self.user = nn.Parameter(torch.eye(size, dimensions) * size**0.5)
        self.item = nn.Parameter(torch.eye(size, dimensions) * size**0.5)
        self.pair_layer = nn.Linear(dimensions + len(SIDE), hidden)
        self.user_layer = nn.Linear(dimensions, hidden, bias=False)
        self.item_layer = nn.Linear(dimensions, hidden, bias=False)
        self.dropout = nn.Dropout(dropout)
        self.second = nn.Linear(hidden, max(1, hidden // 2))
        self.last = nn.Linear(max(1, hidden // 2), 1)
        # A direct path for side features, as in Cheng et al.: Wide & Deep Learning for Recommender
        # Systems, 2016. Initially the score follows the text similarity.
        self.wide = nn.Linear(len(SIDE), 1, bias=False)
        nn.init.zeros_(self.wide.weight)
        with torch.no_grad():
            self.wide.weight[:, :2] = FIRST_MATCH_WEIGHT

    def forward(self, users: Tensor, items: Tensor, side: Tensor) -> Tensor:
        """Return (n, m) logits."""
        user, item = users @ self.user, items @ self.item
        pair = torch.cat([user * item, side], dim=-1)
        # Terms of the user or the item alone are computed once, not for every pair.
        first = self.pair_layer(pair) + self.user_layer(user) + self.item_layer(item)
        second = torch.relu(self.second(self.dropout(torch.relu(first))))
        logits: Tensor = (self.last(second) + self.wide(side))[..., 0]
        return logits


class InterestNetwork(NetworkRecommender[InterestLayers]):
    """Predict the probability of an interaction from text profile, item text and counts.

    A feed-forward network with a sigmoid output, fitted by binary cross-entropy to interactions and
    random items that the user does not have (He et al.: Neural Collaborative Filtering, WWW 2017).
    Its input is what was known just before the interaction: the text profile of the earlier items,
    the candidate's similarity to the closest of them, and its total and recent counts. Two
    augmentations serve quiet users: earlier items are dropped at random, so that the network learns
    from short histories, and a text neighbour of a quiet user's choice counts as a positive of
    lower weight. Where the order of the interactions is unknown, a history is read as a set: the
    items before an interaction are a random part of the others, and all count alike.
    """

    batch_size: int = Field(512, ge=1, description="Interactions in a batch.")
    epochs: int = Field(6, ge=1, description="Maximum number of epochs.")
    learning_rate: float = Field(0.002, gt=0, description="Peak learning rate of AdamW.")
    dimensions: int = Field(32, ge=1, description="Size of the projected text vectors.")
    hidden: int = Field(
        32, ge=1, description="Units of the first layer; the second has half as many."
    )
    dropout: float = Field(0.1, ge=0, lt=1, description="Dropout rate of the first layer.")
    length: int = Field(20, ge=1, description="Latest items of a user that are read.")
    recency_decay: Decay = 0.8
    recent_share: float = Field(
        0.05,
        gt=0,
        le=1,
        description="Share of the latest interactions that counts as recent in the context.",
    )
    negatives: int = Field(8, ge=1, description="Random negatives for each interaction.")
    history_dropout: float = Field(
        0.2, ge=0, lt=1, description="Share of earlier items dropped at random in training."
    )
    pseudo_interactions: float = Field(
        0.2,
        ge=0,
        le=1,
        description="Weight of a text neighbour of a quiet user's choice as a positive; 0: none.",
    )
    quiet_length: int = Field(
        5, ge=0, description="Maximum number of earlier items of a user who counts as quiet."
    )

    reads: ClassVar[tuple[str, ...]] = ("vectors", "text_neighbours")
    evidence: ClassVar[str] = "how well it fits your taste, and how new and popular it is"

    search_space: ClassVar[Mapping[str, list[Any] | tuple[float, float]]] = {
        "learning_rate": (0.0005, 0.01),
        "recency_decay": [0.6, 0.8, 0.95],
        "history_dropout": [0.0, 0.2, 0.4],
    }
    starting_points: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {"learning_rate": 0.002, "recency_decay": 0.8, "history_dropout": 0.2},
        {"learning_rate": 0.004, "recency_decay": 0.8, "history_dropout": 0.2},
        {"learning_rate": 0.002, "recency_decay": 0.6, "history_dropout": 0.4},
    )

    def network(self, data: TrainingData) -> InterestLayers:
        """Return the layers of the network."""
        n_items, size = data.items.vectors.shape
        return InterestLayers(n_items, size, self.dimensions, self.hidden, self.dropout)

    def objective(self, network: InterestLayers, data: TrainingData) -> Objective:
        """Return the binary cross-entropy of every interaction that has an earlier one."""
        histories = data.histories
        sequences = Sequences.of(histories)
        context = ItemContext.of(histories, self.recent_share)
        network.known.copy_(torch.from_numpy(context.now()))
        times = comparable_times(histories)
        decay = self._decay(histories)
        vectors = torch.from_numpy(data.items.vectors)
        neighbours = TextNeighbours.of(data.items.text_neighbours, NEIGHBOURS_DRAWN_FROM)
        positions, owned = sequences.positions, Owned.of(histories)
        examples = torch.nonzero(positions > 0)[:, 0]

        def loss(batch: Tensor, generator: torch.Generator) -> Tensor:
            device = device_of(network)
            ends = examples[batch]
            items = sequences.items[ends]
            quiet = positions[ends] <= self.quiet_length
            choices, labels, weights = self._draw_candidates(
                items, quiet, len(vectors), neighbours, generator
            )
            users = sequences.users[ends]
            weights[(labels == 0) & owned.among(users, choices)] = 0
            rows, present = sequences.before(users, ends, self.length)
            read = keep_at_random(present, self.history_dropout, generator)
            own = (choices == items[:, None]).numpy()
            moments = np.broadcast_to(times[ends.numpy()][:, None], choices.shape)
            known = torch.from_numpy(context.at(choices.numpy(), moments, own))
            chosen = vectors[choices]
            profile, side = self._side(
                vectors[sequences.items[rows]],
                sequences.weights[rows],
                read,
                decay,
                chosen,
                known,
            )
            logits = network(profile[:, None].to(device), chosen.to(device), side.to(device))
            return nn.functional.binary_cross_entropy_with_logits(
                logits, labels.to(device), weights.to(device)
            )

        return Objective(len(examples), loss)

    def score(
        self, arrays: Arrays, data: TrainingData, users: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return the logits of the probabilities."""
        network = self.fitted_network(arrays, data)
        device = device_of(network)
        sequences = Sequences.of(data.histories)
        decay = self._decay(data.histories)
        vectors = torch.from_numpy(data.items.vectors)
        known = network.known.cpu()

        def logits_of(block: NDArray[np.int64]) -> Tensor:
            rows, present = sequences.latest(block, self.length)
            history = vectors[sequences.items[rows]]
            profile = self._profile(history, sequences.weights[rows], present, decay)
            side = torch.empty(len(block), len(vectors), len(SIDE))
            side[..., 0] = profile @ vectors.T
            for row, items in enumerate(history):
                own = items[present[row]]
                side[row, :, 1] = (vectors @ own.T).amax(dim=1) if len(own) else -1
            side[..., 2] = torch.log1p(present.sum(dim=1).float())[:, None]
            side[..., 3:] = known
            logits: Tensor = network(
                profile[:, None].to(device), vectors[None].to(device), side.to(device)
            )
            return logits

        return score_in_blocks(users, len(vectors), SCORED_AT_ONCE, logits_of)

    def _draw_candidates(
        self,
        items: Tensor,
        quiet: Tensor,
        n_items: int,
        neighbours: TextNeighbours,
        generator: torch.Generator,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return (n, m) candidates, labels and weights: choice, text neighbour, random items."""
        close, has_close = neighbours.draw(items, generator)
        # Over the whole catalogue, as in ranking: neighbours of earlier items as negatives would
        # teach the network that text similarity speaks against an item.
        others = torch.randint(n_items, (len(items), self.negatives), generator=generator)
        choices = torch.cat([items[:, None], close[:, None], others], dim=1)
        labels = torch.zeros(choices.shape)
        labels[:, :2] = 1
        weights = torch.ones(choices.shape)
        weights[:, 1] = self.pseudo_interactions * (quiet & has_close)
        return choices, labels, weights

    def _decay(self, histories: Histories) -> float:
        """Return the recency decay, 1 where the order is unknown."""
        return self.recency_decay if histories.has_order else 1.0

    def _side(
        self,
        history: Tensor,
        weights: Tensor,
        present: Tensor,
        decay: float,
        chosen: Tensor,
        known: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Return the (n, d) profiles and the (n, m, k) side features of (n, m, d) candidates."""
        profile = self._profile(history, weights, present, decay)
        closeness = torch.einsum("bcd,bld->bcl", chosen, history)
        closest = closeness.masked_fill(~present[:, None], -1).amax(dim=2)
        length = torch.log1p(present.sum(dim=1).float())[:, None].expand(closest.shape)
        cosine = torch.einsum("bd,bcd->bc", profile, chosen)
        return profile, torch.cat([torch.stack([cosine, closest, length], dim=-1), known], dim=-1)

    def _profile(self, history: Tensor, weights: Tensor, present: Tensor, decay: float) -> Tensor:
        """Return the (n, d) recency-weighted sums of (n, L, d) vectors, of unit length."""
        newer = present.flip(1).cumsum(1).flip(1) - 1
        importance = weights * present * decay ** newer.clamp(min=0)
        return nn.functional.normalize((importance[..., None] * history).sum(1), dim=1)


def augmentation_variants(network: InterestNetwork) -> dict[str, InterestNetwork]:
    """Return the network with neither, with each and with both of its augmentations."""
    no_dropout, no_pseudo = {"history_dropout": 0.0}, {"pseudo_interactions": 0.0}
    changes: dict[str, dict[str, float]] = {
        NOT_AUGMENTED: no_dropout | no_pseudo,
        "history_dropout": no_pseudo,
        "pseudo_interactions": no_dropout,
        "both": {},
    }
    return {name: network.model_copy(update=change) for name, change in changes.items()}
