"""Attention of a candidate item over a user's history, with clusters of users."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from sklearn.cluster import KMeans
from sklearn.decomposition import TruncatedSVD
from torch import Tensor, nn

from longtail.arrays import Arrays
from longtail.recommenders.base import TrainingData
from longtail.recommenders.content.attributes import attribute_vectors
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
HARD_NEGATIVES_FROM = 20
DAY = 86_400.0


class AttentionNetwork(nn.Module):
    """Scores m candidates for n histories of L items."""

    texts: Tensor
    attributes: Tensor
    axes: Tensor
    centres: Tensor
    known: Tensor
    now: Tensor

    def __init__(
        self,
        texts: Tensor,
        attributes: int,
        dimensions: int,
        axes: int,
        clusters: int,
        ordered: bool,
    ):
        super().__init__()
        self.ordered = ordered
        n_items, size = texts.shape
        # Not persistent, since the data hold the text vectors.
        self.register_buffer("texts", texts, persistent=False)
        self.register_buffer("attributes", torch.zeros(n_items, attributes))
        self.register_buffer("axes", torch.zeros(n_items, axes))
        # Context of the items at the end of the training data, and that day, for scoring.
        self.register_buffer("known", torch.zeros(n_items, len(CONTEXT)))
        self.register_buffer("now", torch.zeros((), dtype=torch.float64))
        self.register_buffer("centres", torch.zeros(clusters, axes))
        # The leading axes of the text vectors and a random projection of the attributes, scaled so
        # that the entries of a projected unit vector are about 1.
        first = torch.cat(
            [
                torch.eye(size, dimensions),
                torch.randn(attributes, dimensions) * dimensions**-0.5,
            ]
        )
        first = first * size**0.5
        self.query, self.key = nn.Parameter(first.clone()), nn.Parameter(first.clone())
        self.candidate, self.value = nn.Parameter(first.clone()), nn.Parameter(first.clone())
        self.group = nn.Parameter(torch.zeros(clusters, dimensions))
        self.nearness = nn.Parameter(torch.tensor([0.3, 0.1]))
        self.context = nn.Linear(len(CONTEXT), 1, bias=False)
        # Initially the score is the log count: the best constant guess of a softmax.
        start = [[float(name == "log_count") for name in CONTEXT]]
        self.context.weight.data = torch.tensor(start)
        self.scale = dimensions**-0.5

    def groups_of(self, history: Tensor, present: Tensor) -> Tensor:
        """Return (n,) the cluster whose centre is closest to each history."""
        place = (self.axes[history] * present[..., None]).sum(dim=1)
        return torch.cdist(nn.functional.normalize(place, dim=1), self.centres).argmin(dim=1)

    def _features(self, items: Tensor) -> Tensor:
        return torch.cat([self.texts[items], self.attributes[items]], dim=-1)

    def forward(
        self, history: Tensor, present: Tensor, age: Tensor, candidates: Tensor, context: Tensor
    ) -> Tensor:
        """Return (n, m) logits.

        Args:
            history: (n, L) items, the newest last.
            present: (n, L) whether there is an item.
            age: (n, L) days since each item was chosen.
            candidates: (m,) items.
            context: (n or 1, m, 3) context features of the candidates.
        """
        wanted, own = self._features(candidates), self._features(history)
        newer = torch.arange(history.shape[1] - 1, -1, -1, device=history.device)
        # Padding has the age of another interaction, which may be negative.
        days = torch.log1p(age.clamp(min=0))
        # Without an order in time, no item of a history is newer than another.
        newer = newer * self.ordered
        fading = self.nearness[0] * torch.log1p(newer) + self.nearness[1] * days
        fading = fading.masked_fill(~present, torch.inf)[:, None]
        query, key = wanted @ self.query, own @ self.key
        # The value of an item is a number for each candidate instead of a vector, which avoids an
        # (n, m, L, dimensions) tensor.
        attention = torch.einsum("md,nld->nml", query, key) * self.scale - fading
        attention = torch.softmax(torch.where(present.any(dim=1)[:, None, None], attention, 0), -1)
        offered, value = wanted @ self.candidate, own @ self.value
        agreement = torch.einsum("md,nld->nml", offered, value) * self.scale
        group = self.group[self.groups_of(history, present)]
        scores = (attention * agreement).sum(dim=-1) + group @ offered.T * self.scale
        logits: Tensor = scores + self.context(context)[..., 0]
        return logits


class ClusterAttention(NetworkRecommender[AttentionNetwork]):
    """Score a candidate by attention over the user's history and by the user's cluster.

    Clusters are found by k-means on the leading axes of the behaviour matrix. Items are projections
    of their text vectors and attributes, so new items are scored like all others. The candidate
    attends over the latest items (Zhou et al.: Deep Interest Network, KDD 2018); attention fades
    with the number of newer items and with days; where the order of the interactions is unknown, it
    does not fade, and a random part of the history is read. Popularity and recent popularity enter
    as context. The loss is a softmax over the choices of the batch, random items and text
    neighbours of the choices, without other items that the user has, corrected for the probability
    that an item is among them (Yi et al.: Sampling-Bias-Corrected Neural Modeling for Large Corpus
    Item Recommendations, RecSys 2019).
    """

    batch_size: int = Field(128, ge=1, description="Interactions in a batch.")
    epochs: int = Field(6, ge=1, description="Maximum number of epochs.")
    learning_rate: float = Field(0.002, gt=0, description="Peak learning rate of AdamW.")
    dimensions: int = Field(64, ge=1, description="Size of the projected vectors.")
    dropout: float = Field(
        0.1, ge=0, lt=1, description="Share of the history dropped at random in training."
    )
    length: int = Field(20, ge=1, description="Latest items of a user that are read.")
    clusters: int = Field(32, ge=1, description="Maximum number of clusters of users.")
    behaviour_dimensions: int = Field(
        32, ge=1, description="Axes of the behaviour matrix that users are clustered on."
    )
    attribute_dimensions: int = Field(
        64, ge=1, description="Maximum size of the attribute vectors."
    )
    random_negatives: int = Field(128, ge=1, description="Random negatives shared by a batch.")
    hard_negatives: int = Field(
        1, ge=0, description="Text neighbours of each choice, as negatives."
    )
    popularity_correction: float = Field(
        1.0,
        ge=0,
        le=1,
        description="Share of the log sampling probability subtracted from the logits in training.",
    )
    recent_share: float = Field(
        0.05,
        gt=0,
        le=1,
        description="Share of the latest interactions that counts as recent in the context.",
    )

    reads: ClassVar[tuple[str, ...]] = ("vectors", "text_neighbours", "attributes")
    evidence: ClassVar[str] = "your items that are closest to it, and customers like you"

    search_space: ClassVar[Mapping[str, list[Any] | tuple[float, float]]] = {
        "learning_rate": (0.0005, 0.01),
        "clusters": [8, 32, 128],
        "popularity_correction": [0.8, 1.0],
    }
    starting_points: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {"learning_rate": 0.002, "clusters": 32, "popularity_correction": 1.0},
        {"learning_rate": 0.004, "clusters": 32, "popularity_correction": 1.0},
        {"learning_rate": 0.002, "clusters": 8, "popularity_correction": 0.8},
    )

    def network(self, data: TrainingData) -> AttentionNetwork:
        """Return the projections, with buffers for the clusters and their axes."""
        has_attributes = not data.items.attributes.empty
        return AttentionNetwork(
            torch.from_numpy(data.items.vectors),
            self.attribute_dimensions if has_attributes else 0,
            self.dimensions,
            self.behaviour_dimensions,
            self.clusters,
            data.histories.has_order,
        )

    def objective(self, network: AttentionNetwork, data: TrainingData) -> Objective:
        """Return the sampled softmax loss of every interaction that has an earlier one."""
        histories = data.histories
        self._set_attributes(network, data)
        self._set_clusters(network, data)
        sequences = Sequences.of(histories)
        context = ItemContext.of(histories, self.recent_share)
        times = comparable_times(histories)
        network.known.copy_(torch.from_numpy(context.now()))
        network.now.fill_(times.max(initial=0) / DAY)
        moments = torch.from_numpy(times)
        neighbours = TextNeighbours.of(data.items.text_neighbours, HARD_NEGATIVES_FROM)
        examples = torch.nonzero(sequences.positions > 0)[:, 0]
        n_items, owned = histories.n_items, Owned.of(histories)
        share = torch.bincount(sequences.items[examples], minlength=n_items) / max(1, len(examples))

        # All batches but the last one have the same size.
        @cache
        def log_rates(n_choices: int) -> Tensor:
            return self._log_rates(share.double(), n_choices, neighbours).float()

        def loss(batch: Tensor, generator: torch.Generator) -> Tensor:
            device = device_of(network)
            ends = examples[batch]
            items = sequences.items[ends]
            candidates = self._draw_candidates(items, n_items, neighbours, generator)
            rows, present = sequences.before(sequences.users[ends], ends, self.length)
            read = keep_at_random(present, self.dropout, generator)
            known = _context_of(candidates, items, times[ends.numpy()], context)
            age = (moments[ends][:, None] - moments[rows]).float() / DAY
            logits = network(
                sequences.items[rows].to(device),
                read.to(device),
                age.to(device),
                candidates.to(device),
                known.to(device),
            )
            log_rate = log_rates(len(items))[candidates].to(device)
            logits = logits - self.popularity_correction * log_rate
            targets = torch.searchsorted(candidates, items)
            others = owned.others(sequences.users[ends], candidates, targets)
            logits = logits.masked_fill(others.to(device), -torch.inf)
            return nn.functional.cross_entropy(logits, targets.to(device))

        return Objective(len(examples), loss)

    def score(
        self, arrays: Arrays, data: TrainingData, users: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return the logits of the candidates."""
        network = self.fitted_network(arrays, data)
        device = device_of(network)
        sequences = Sequences.of(data.histories)
        # One more, which padding reads where there are no interactions.
        times = torch.from_numpy(np.append(comparable_times(data.histories), 0.0))
        now = network.now.cpu()
        n_items = data.histories.n_items

        def logits_of(block: NDArray[np.int64]) -> Tensor:
            rows, present = sequences.latest(block, self.length)
            logits: Tensor = network(
                sequences.items[rows].to(device),
                present.to(device),
                (now - times[rows] / DAY).float().to(device),
                torch.arange(n_items, device=device),
                network.known[None],
            )
            return logits

        return score_in_blocks(users, n_items, SCORED_AT_ONCE, logits_of)

    def _draw_candidates(
        self,
        items: Tensor,
        n_items: int,
        neighbours: TextNeighbours,
        generator: torch.Generator,
    ) -> Tensor:
        """Return the distinct candidates of a batch: choices, random items and text neighbours."""
        drawn = torch.randint(n_items, (self.random_negatives,), generator=generator)
        close, _ = neighbours.draw(items.repeat(self.hard_negatives), generator)
        candidates: Tensor = torch.unique(torch.cat([items, drawn, close]))
        return candidates

    def _log_rates(self, share: Tensor, n_choices: int, neighbours: TextNeighbours) -> Tensor:
        """Return (n_items,) the log probability that each item is a candidate of a batch.

        Args:
            share: (n_items,) float64 share of each item in the choices.
            n_choices: choices in the batch.
            neighbours: what hard negatives are drawn from.
        """
        by_choice = (share + neighbours.rate(share, self.hard_negatives)).clamp(max=1)
        at_random = torch.full_like(share, 1 / len(share))
        missed = (
            torch.log1p(-at_random) * self.random_negatives + torch.log1p(-by_choice) * n_choices
        )
        return torch.log(-torch.expm1(missed))

    def _set_attributes(self, network: AttentionNetwork, data: TrainingData) -> None:
        """Write the attribute vectors of the items into the network."""
        known = data.histories.item_counts() > 0
        found = attribute_vectors(
            data.items.attributes, known, self.attribute_dimensions, data.seed
        )
        network.attributes[:, : found.shape[1]] = torch.from_numpy(found)

    def _set_clusters(self, network: AttentionNetwork, data: TrainingData) -> None:
        """Write the axes of the behaviour matrix and the cluster centres into the network."""
        behaviour = data.histories.matrix()
        active = np.flatnonzero(data.histories.history_lengths() > 0)
        size = min(network.axes.shape[1], len(active), data.histories.n_items)
        # TruncatedSVD refuses a single item, for which there is nothing to cluster either.
        if data.histories.n_items > 1:
            svd = TruncatedSVD(size, random_state=data.seed).fit(behaviour[active])
            network.axes[:, :size] = torch.from_numpy(svd.components_.T.astype(np.float32))
        places = torch.from_numpy(behaviour[active] @ network.axes.numpy())
        places = nn.functional.normalize(places, dim=1)
        n_clusters = min(len(network.centres), len(np.unique(places.numpy().round(4), axis=0)))
        clusters = KMeans(n_clusters, n_init=4, random_state=data.seed).fit(places.numpy())
        # With fewer distinct users than clusters, the remaining centres repeat the first ones.
        number = np.arange(len(network.centres)) % n_clusters
        network.centres.copy_(
            torch.from_numpy(clusters.cluster_centers_.astype(np.float32)[number])
        )


def _context_of(
    candidates: Tensor, items: Tensor, times: NDArray[np.float64], context: ItemContext
) -> Tensor:
    """Return (n, m, 3) context features of m candidates at the times of n choices of items."""
    shape = (len(items), len(candidates))
    found = context.at(
        np.broadcast_to(candidates.numpy(), shape),
        np.broadcast_to(times[:, None], shape),
        (items[:, None] == candidates).numpy(),
    )
    return torch.from_numpy(found)
