"""A network that says how likely a user, above all a quiet one, takes an item."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from longtail.arrays import Arrays
from longtail.models.base import TrainingData
from longtail.models.context import CONTEXT, ItemContext, comparable_times
from longtail.models.negatives import TextNeighbours
from longtail.models.sequences import Sequences
from longtail.models.training import NetworkRecommender, Objective, device_of, score_in_blocks

SCORED_AT_ONCE = 32
NEIGHBOURS_DRAWN_FROM = 10
FIRST_MATCH_WEIGHT = 2.0
NOT_AUGMENTED = "neither"


class InterestNetwork(NetworkRecommender):
    """The probability of an interaction from profile, item text, counts and context.

    A feed-forward network with a sigmoid output, fitted by binary cross-entropy to each
    interaction and to items drawn at random (He et al.: Neural Collaborative Filtering, WWW 2017).
    It sees what was known just before the interaction: the text profile of the earlier items, how
    close the candidate is to the closest of them, and the item's counts, in all and of late. Two
    augmentations serve quiet users: earlier items are dropped at random, so that long histories
    teach what short ones mean, and a text neighbour of what a quiet user chose counts as chosen
    too, with a lower weight.
    """

    batch_size: int = Field(512, ge=1, description="Interactions in a batch.")
    epochs: int = Field(6, ge=1, description="Passes over the examples at most.")
    learning_rate: float = Field(0.002, gt=0, description="Highest rate of AdamW.")
    dimensions: int = Field(32, ge=1, description="Size of the projected texts.")
    hidden: int = Field(32, ge=1, description="Units of the first layer; the second has half.")
    dropout: float = Field(0.1, ge=0, lt=1, description="Share of units dropped.")
    length: int = Field(20, ge=1, description="Latest items that are read.")
    recency_decay: float = Field(0.8, gt=0, le=1, description="Weight lost per newer item.")
    recent_share: float = Field(
        0.05, gt=0, le=1, description="Last share of the interactions whose time is a trend."
    )
    negatives: int = Field(8, ge=1, description="Items drawn for each interaction.")
    history_dropout: float = Field(
        0.2, ge=0, lt=1, description="Share of earlier items dropped in training."
    )
    pseudo_interactions: float = Field(
        0.2, ge=0, le=1, description="Weight of a text neighbour of what a quiet user chose."
    )
    quiet_length: int = Field(5, ge=0, description="Earlier items of a quiet user at most.")

    reads: ClassVar[tuple[str, ...]] = ("item_vectors", "text_neighbours")
    evidence: ClassVar[str] = "its fit to your taste, its novelty and its popularity together"

    def network(self, data: TrainingData) -> nn.Module:
        """Return the layers."""
        n_items, size = data.item_vectors.shape
        return _Layers(n_items, size, self.dimensions, self.hidden, self.dropout)

    def objective(self, network: Any, data: TrainingData) -> Objective:
        """Return the binary cross-entropy of every interaction that has an earlier one."""
        histories = data.histories
        sequences = Sequences.of(histories)
        context = ItemContext.of(histories, self.recent_share)
        network.known.copy_(torch.from_numpy(context.now()))
        times = comparable_times(histories)
        users = torch.from_numpy(histories.users.astype(np.int64))
        vectors = torch.from_numpy(data.item_vectors)
        neighbours = TextNeighbours.of(data.text_neighbours, NEIGHBOURS_DRAWN_FROM)
        position = torch.arange(len(users)) - sequences.first[users]
        examples = torch.nonzero(position > 0)[:, 0]
        n_items = len(vectors)

        def candidates(ends: Tensor, generator: torch.Generator) -> Parts:
            """Return items, labels and weights: the choice, its text neighbour, random items."""
            items = sequences.items[ends]
            close, has_close = neighbours.draw(items, generator)
            quiet = position[ends] <= self.quiet_length
            # Random over the whole catalogue, as what is ranked later: neighbours of earlier items
            # as negatives would teach that a match of the texts speaks against an item.
            others = torch.randint(n_items, (len(items), self.negatives), generator=generator)
            choices = torch.cat([items[:, None], close[:, None], others], dim=1)
            labels = torch.zeros(choices.shape)
            labels[:, :2] = 1
            weights = torch.ones(choices.shape)
            weights[:, 1] = self.pseudo_interactions * (quiet & has_close)
            weights[:, 2:][others == items[:, None]] = 0
            return choices, labels, weights

        def loss(batch: Tensor, generator: torch.Generator) -> Tensor:
            device = device_of(network)
            ends = examples[batch]
            items = sequences.items[ends]
            choices, labels, weights = candidates(ends, generator)
            rows, present = sequences.before(users[ends], ends, self.length)
            kept = torch.rand(present.shape, generator=generator) >= self.history_dropout
            kept[:, -1] = True
            own = (choices == items[:, None]).numpy()
            moments = np.broadcast_to(times[ends.numpy()][:, None], choices.shape)
            known = torch.from_numpy(context.at(choices.numpy(), moments, own))
            chosen = vectors[choices]
            profile, side = self._side(
                vectors[sequences.items[rows]],
                sequences.weights[rows],
                present & kept,
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
        vectors = torch.from_numpy(data.item_vectors)
        known = network.known.cpu()

        def logits_of(block: NDArray[np.int64]) -> Tensor:
            rows, present = sequences.latest(block, self.length)
            history = vectors[sequences.items[rows]]
            profile = self._profile(history, sequences.weights[rows], present)
            side = torch.empty(len(block), len(vectors), len(SIDE))
            side[..., 0] = profile @ vectors.T
            for row, items in enumerate(history):
                own = items[present[row]]
                side[row, :, 1] = (vectors @ own.T).amax(dim=1) if len(own) else -1
            side[..., 2] = torch.log1p(present.sum(dim=1).float())[:, None]
            side[..., 3:] = known
            return network(profile[:, None].to(device), vectors[None].to(device), side.to(device))

        return score_in_blocks(users, len(vectors), SCORED_AT_ONCE, logits_of)

    def _side(
        self, history: Tensor, weights: Tensor, present: Tensor, chosen: Tensor, known: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the (n, d) profiles and the (n, m, k) side facts of the (n, m, d) candidates."""
        profile = self._profile(history, weights, present)
        closeness = torch.einsum("bcd,bld->bcl", chosen, history)
        closest = closeness.masked_fill(~present[:, None], -1).amax(dim=2)
        length = torch.log1p(present.sum(dim=1).float())[:, None].expand(closest.shape)
        cosine = torch.einsum("bd,bcd->bc", profile, chosen)
        return profile, torch.cat([torch.stack([cosine, closest, length], dim=-1), known], dim=-1)

    def _profile(self, history: Tensor, weights: Tensor, present: Tensor) -> Tensor:
        """Return the (n, d) recency-weighted sums of (n, L, d) vectors, of unit length."""
        importance = self._importance(weights, present)
        return nn.functional.normalize((importance[..., None] * history).sum(1), dim=1)

    def _importance(self, weights: Tensor, present: Tensor) -> Tensor:
        """Return (n, L) weights of earlier items: their own, less for each newer one."""
        newer = present.flip(1).cumsum(1).flip(1) - 1
        return weights * present * self.recency_decay ** newer.clamp(min=0)


def augmentation_variants(network: InterestNetwork) -> dict[str, InterestNetwork]:
    """Return the network without, with each and with both of its augmentations."""
    no_dropout, no_pseudo = {"history_dropout": 0.0}, {"pseudo_interactions": 0.0}
    changes: dict[str, dict[str, float]] = {
        NOT_AUGMENTED: no_dropout | no_pseudo,
        "history_dropout": no_pseudo,
        "pseudo_interactions": no_dropout,
        "both": {},
    }
    return {name: network.model_copy(update=change) for name, change in changes.items()}


SIDE = ("profile_cosine", "closest_cosine", "log_history_length", *CONTEXT)
Parts = tuple[Tensor, Tensor, Tensor]


class _Layers(nn.Module):
    """Scores pairs of users (n, 1, size) and items (n or 1, m, size) with (n, m, k) side facts."""

    known: Tensor

    def __init__(self, n_items: int, size: int, dimensions: int, hidden: int, dropout: float):
        super().__init__()
        # What is known of the items when the training ends, for users who come later.
        self.register_buffer("known", torch.zeros(n_items, len(CONTEXT)))
        # Leading axes, scaled so that the entries of a vector of length 1 are about 1.
        self.user = nn.Parameter(torch.eye(size, dimensions) * size**0.5)
        self.item = nn.Parameter(torch.eye(size, dimensions) * size**0.5)
        self.pair_layer = nn.Linear(dimensions + len(SIDE), hidden)
        self.user_layer = nn.Linear(dimensions, hidden, bias=False)
        self.item_layer = nn.Linear(dimensions, hidden, bias=False)
        self.dropout = nn.Dropout(dropout)
        self.second = nn.Linear(hidden, max(1, hidden // 2))
        self.last = nn.Linear(max(1, hidden // 2), 1)
        # Side facts count directly too, as in Cheng et al.: Wide & Deep Learning for Recommender
        # Systems, 2016. The first guess is the match of the texts.
        self.wide = nn.Linear(len(SIDE), 1, bias=False)
        nn.init.zeros_(self.wide.weight)
        with torch.no_grad():
            self.wide.weight[:, :2] = FIRST_MATCH_WEIGHT

    def forward(self, users: Tensor, items: Tensor, side: Tensor) -> Tensor:
        """Return (n, m) logits."""
        user, item = users @ self.user, items @ self.item
        pair = torch.cat([user * item, side], dim=-1)
        # What depends on the user or the item alone is computed once for all pairs.
        first = self.pair_layer(pair) + self.user_layer(user) + self.item_layer(item)
        second = torch.relu(self.second(self.dropout(torch.relu(first))))
        return (self.last(second) + self.wide(side))[..., 0]
