"""Groups of users, and the attention of a candidate item over a user's history."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from sklearn.cluster import KMeans
from sklearn.decomposition import TruncatedSVD
from torch import Tensor, nn

from longtail.arrays import Arrays
from longtail.models.attributes import attribute_vectors
from longtail.models.base import TrainingData
from longtail.models.context import CONTEXT, ItemContext, comparable_times
from longtail.models.negatives import TextNeighbours
from longtail.models.sequences import Sequences
from longtail.models.training import NetworkRecommender, Objective, device_of, score_in_blocks

SCORED_AT_ONCE = 32
HARD_NEGATIVES_FROM = 20
DAY = 86_400.0


class ClusterAttention(NetworkRecommender):
    """Score a candidate by the items of the history that it attends to, and by the user's group.

    Groups are the k-means clusters of the users on the leading axes of the behaviour matrix. An
    item is the projection of its text and attributes, so that new items are items like others. The
    candidate attends over the latest items (Zhou et al.: Deep Interest Network, KDD 2018); how
    many items and days ago each was chosen shifts its attention. What is popular and what is
    current enters as context. Trained by a softmax over the other choices of the batch, random
    items and text neighbours of the choices, corrected for how often each is drawn.
    """

    batch_size: int = Field(128, ge=1, description="Interactions in a batch.")
    epochs: int = Field(6, ge=1, description="Passes over the examples at most.")
    learning_rate: float = Field(0.002, gt=0, description="Highest rate of AdamW.")
    dimensions: int = Field(64, ge=1, description="Size of the vectors.")
    dropout: float = Field(0.1, ge=0, lt=1, description="Share of the history dropped.")
    length: int = Field(20, ge=1, description="Latest items that are attended to.")
    clusters: int = Field(32, ge=1, description="Groups of users at most.")
    behaviour_dimensions: int = Field(32, ge=1, description="Axes that users are grouped on.")
    attribute_dimensions: int = Field(64, ge=1, description="Axes of the attributes.")
    random_negatives: int = Field(128, ge=1, description="Random items in a batch.")
    hard_negatives: int = Field(1, ge=0, description="Text neighbours of each choice.")
    popularity_correction: float = Field(
        1.0, ge=0, le=1, description="Share of the log of the sampling rate taken off the logits."
    )
    recent_share: float = Field(
        0.05, gt=0, le=1, description="Last share of the interactions whose time is a trend."
    )

    reads: ClassVar[tuple[str, ...]] = ("item_vectors", "text_neighbours", "item_attributes")
    evidence: ClassVar[str] = "those of your items that are closest to it, and users like you"

    def network(self, data: TrainingData) -> nn.Module:
        """Return the projections, with room for what k-means and SVD find."""
        has_attributes = not data.item_attributes.empty
        return _Attention(
            torch.from_numpy(data.item_vectors),
            self.attribute_dimensions if has_attributes else 0,
            self.dimensions,
            min(self.behaviour_dimensions, data.histories.n_items),
            self.clusters,
        )

    def objective(self, network: Any, data: TrainingData) -> Objective:
        """Return the sampled softmax loss of every interaction that has an earlier one."""
        histories = data.histories
        self._describe_items(network, data)
        self._group_users(network, data)
        sequences = Sequences.of(histories)
        context = ItemContext.of(histories, self.recent_share)
        times = comparable_times(histories)
        network.known.copy_(torch.from_numpy(context.now()))
        network.now.fill_(times.max(initial=0) / DAY)
        moments = torch.from_numpy(times)
        users = torch.from_numpy(histories.users.astype(np.int64))
        neighbours = TextNeighbours.of(data.text_neighbours, HARD_NEGATIVES_FROM)
        position = torch.arange(len(users)) - sequences.first[users]
        examples = torch.nonzero(position > 0)[:, 0]
        counts = torch.from_numpy(histories.item_counts()).float()
        n_items = len(counts)
        random_rate = self.random_negatives / n_items

        def draw(items: Tensor, generator: torch.Generator) -> Tensor:
            """Return the candidates of a batch: its choices, random items, text neighbours."""
            drawn = torch.randint(n_items, (self.random_negatives,), generator=generator)
            close, _ = neighbours.draw(items.repeat(self.hard_negatives), generator)
            return torch.unique(torch.cat([items, drawn, close]))

        def loss(batch: Tensor, generator: torch.Generator) -> Tensor:
            device = device_of(network)
            ends = examples[batch]
            items = sequences.items[ends]
            candidates = draw(items, generator)
            rows, present = sequences.before(users[ends], ends, self.length)
            kept = torch.rand(present.shape, generator=generator) >= self.dropout
            kept[:, -1] = True
            shape = (len(items), len(candidates))
            own = items[:, None] == candidates
            known = context.at(
                np.broadcast_to(candidates.numpy(), shape),
                np.broadcast_to(times[ends.numpy()][:, None], shape),
                own.numpy(),
            )
            age = (moments[ends][:, None] - moments[rows]).float() / DAY
            logits = network(
                sequences.items[rows].to(device),
                (present & kept).to(device),
                age.to(device),
                candidates.to(device),
                torch.from_numpy(known).to(device),
            )
            rate = random_rate + len(items) * counts[candidates] / counts.sum()
            logits = logits - self.popularity_correction * rate.log().to(device)
            targets = torch.searchsorted(candidates, items)
            return nn.functional.cross_entropy(logits, targets.to(device))

        return Objective(len(examples), loss)

    def score(
        self, arrays: Arrays, data: TrainingData, users: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return the logits of the candidates."""
        network = self.fitted_network(arrays, data)
        device = device_of(network)
        sequences = Sequences.of(data.histories)
        times = torch.from_numpy(comparable_times(data.histories))
        now = network.now.cpu()
        n_items = data.histories.n_items

        def logits_of(block: NDArray[np.int64]) -> Tensor:
            rows, present = sequences.latest(block, self.length)
            return network(
                sequences.items[rows].to(device),
                present.to(device),
                (now - times[rows] / DAY).float().to(device),
                torch.arange(n_items, device=device),
                network.known[None],
            )

        return score_in_blocks(users, n_items, SCORED_AT_ONCE, logits_of)

    def _describe_items(self, network: Any, data: TrainingData) -> None:
        """Put the attributes of the items into the network."""
        known = data.histories.item_counts() > 0
        found = attribute_vectors(data.item_attributes, known, self.attribute_dimensions, data.seed)
        network.attributes[:, : found.shape[1]] = torch.from_numpy(found)

    def _group_users(self, network: Any, data: TrainingData) -> None:
        """Put the axes of the behaviour and the centres of the groups into the network."""
        behaviour = data.histories.matrix()
        active = np.flatnonzero(data.histories.history_lengths() > 0)
        size = min(network.axes.shape[1], len(active))
        svd = TruncatedSVD(size, random_state=data.seed).fit(behaviour[active])
        network.axes[:, :size] = torch.from_numpy(svd.components_.T.astype(np.float32))
        places = torch.from_numpy(behaviour[active] @ network.axes.numpy())
        places = nn.functional.normalize(places, dim=1)
        n_groups = min(len(network.centres), len(np.unique(places.numpy().round(4), axis=0)))
        groups = KMeans(n_groups, n_init=4, random_state=data.seed).fit(places.numpy())
        # Where there are fewer kinds of users than groups, groups that nobody joins repeat others.
        number = np.arange(len(network.centres)) % n_groups
        network.centres.copy_(torch.from_numpy(groups.cluster_centers_.astype(np.float32)[number]))


class _Attention(nn.Module):
    """Scores m candidates for n histories of L items."""

    texts: Tensor
    attributes: Tensor
    axes: Tensor
    centres: Tensor
    known: Tensor
    now: Tensor

    def __init__(self, texts: Tensor, attributes: int, dimensions: int, axes: int, clusters: int):
        super().__init__()
        n_items, size = texts.shape
        # The texts are in the data: they need not be stored with the weights.
        self.register_buffer("texts", texts, persistent=False)
        self.register_buffer("attributes", torch.zeros(n_items, attributes))
        self.register_buffer("axes", torch.zeros(n_items, axes))
        # What is known of the items when the training ends, and that day, for later users.
        self.register_buffer("known", torch.zeros(n_items, len(CONTEXT)))
        self.register_buffer("now", torch.zeros((), dtype=torch.float64))
        self.register_buffer("centres", torch.zeros(clusters, axes))
        # The leading axes of the texts and a random projection of the attributes, scaled so that
        # the entries of a vector of length 1 are about 1.
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
        # In proportion to what is popular, as softmax scores are before anything is learned.
        start = [[float(name == "log_count") for name in CONTEXT]]
        self.context.weight.data = torch.tensor(start)
        self.scale = dimensions**-0.5

    def groups_of(self, history: Tensor, present: Tensor) -> Tensor:
        """Return (n,) the group whose centre is closest to the history."""
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
            age: (n, L) days since each was chosen.
            candidates: (m,) items.
            context: (n or 1, m, 3) what is known of the candidates.
        """
        wanted, own = self._features(candidates), self._features(history)
        newer = torch.arange(history.shape[1] - 1, -1, -1, device=history.device)
        # Empty places have the age of some other interaction, which may be below 0.
        days = torch.log1p(age.clamp(min=0))
        fading = self.nearness[0] * torch.log1p(newer) + self.nearness[1] * days
        fading = fading.masked_fill(~present, torch.inf)[:, None]
        query, key = wanted @ self.query, own @ self.key
        # A softmax of the agreements, weighed by the agreements of another kind: the value of the
        # history for a candidate, without a vector for each pair of the two.
        attention = torch.einsum("md,nld->nml", query, key) * self.scale - fading
        attention = torch.softmax(torch.where(present.any(dim=1)[:, None, None], attention, 0), -1)
        offered, value = wanted @ self.candidate, own @ self.value
        agreement = torch.einsum("md,nld->nml", offered, value) * self.scale
        group = self.group[self.groups_of(history, present)]
        scores = (attention * agreement).sum(dim=-1) + group @ offered.T * self.scale
        return scores + self.context(context)[..., 0]
