"""A causal transformer over the text vectors of a history that predicts the next item."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, model_validator
from torch import Tensor, nn

from longtail.arrays import Arrays
from longtail.errors import NotApplicableError
from longtail.recommenders.base import TrainingData
from longtail.recommenders.neural.negatives import Owned
from longtail.recommenders.neural.sequences import Sequences
from longtail.recommenders.neural.training import (
    NetworkRecommender,
    Objective,
    device_of,
    score_in_blocks,
)

SCORED_AT_ONCE = 512
MAX_SHARPNESS = 50.0


class HistoryTransformer(nn.Module):
    """Reads the vectors of a history, the newest last, and scores the items that may follow."""

    def __init__(self, size: int, dimensions: int, layers: int, heads: int, dropout: float):
        super().__init__()
        # Initially the prediction is the text vector of the latest item.
        self.read = nn.Parameter(torch.eye(size, dimensions))
        self.write = nn.Parameter(torch.eye(size, dimensions))
        self.log_sharpness = nn.Parameter(torch.tensor(10.0).log())
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(_Block(dimensions, heads, dropout) for _ in range(layers))

    def forward(self, vectors: Tensor, present: Tensor) -> Tensor:
        """Return (m, dimensions) predictions of the item after each item.

        Args:
            vectors: (m, size) of the items that are present, row by row; most histories are short,
                and padding would be most of the work.
            present: (n, L) whether a row has an item at a position, m times true.
        """
        position = torch.arange(present.shape[1], device=vectors.device)
        distance = position[:, None] - position[None, :]
        # Padding attends to itself, so that no softmax is empty.
        readable = (distance >= 0) & present[:, None, :] | (distance == 0)
        states: Tensor = self.dropout(vectors @ self.read)
        for block in self.blocks:
            states = block(states, present, distance.clamp(min=0), readable[:, None])
        return states

    def logits(self, states: Tensor, vectors: Tensor, offset: Tensor | None = None) -> Tensor:
        """Return (n, m) scores of m items after n states, plus an (m,) offset of the items."""
        sharpness = self.log_sharpness.exp().clamp(max=MAX_SHARPNESS)
        left = nn.functional.normalize(states, dim=-1) * sharpness
        right = nn.functional.normalize(vectors @ self.write, dim=-1)
        return nn.functional.linear(left, right, offset)


class _Block(nn.Module):
    """Self-attention and a feed-forward network, each with a residual connection.

    Attention fades linearly with distance as in Press, Smith, Lewis: Train Short, Test Long, ICLR
    2022, with learned slopes; it depends on the distance alone, so a history may be cut anywhere.
    """

    def __init__(self, dimensions: int, heads: int, dropout: float):
        super().__init__()
        self.heads = heads
        self.before_attention = nn.LayerNorm(dimensions)
        self.project = nn.Linear(dimensions, 3 * dimensions)
        self.join = nn.Linear(dimensions, dimensions)
        self.slopes = nn.Parameter(torch.linspace(0.1, 0.5, heads))
        self.before_network = nn.LayerNorm(dimensions)
        self.widen = nn.Linear(dimensions, 2 * dimensions)
        self.narrow = nn.Linear(2 * dimensions, dimensions)
        self.dropout = nn.Dropout(dropout)
        for last in (self.join, self.narrow):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def forward(
        self, states: Tensor, present: Tensor, distance: Tensor, readable: Tensor
    ) -> Tensor:
        projected = self.project(self.before_attention(states))
        placed = projected.new_zeros(*present.shape, projected.shape[-1])
        placed[present] = projected
        parts = placed.chunk(3, dim=-1)
        query, key, value = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in parts)
        fading = -self.slopes[:, None, None] * distance
        mask = torch.where(readable, fading, -torch.inf)
        read = nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        joined = self.join(read.transpose(1, 2)[present].flatten(1))
        states = states + self.dropout(joined)
        wide = self.dropout(nn.functional.gelu(self.widen(self.before_network(states))))
        output: Tensor = states + self.dropout(self.narrow(wide))
        return output


class SequenceTransformer(NetworkRecommender[HistoryTransformer]):
    """Predict the next item from the text vectors of the latest ones.

    Self-attention over the sequence as in Kang, McAuley: Self-Attentive Sequential Recommendation,
    ICDM 2018. A learned projection of the language vectors replaces item ids (Hou et al.: Towards
    Universal Sequence Representation Learning for Recommender Systems, KDD 2022), so new items are
    read and recommended like all others. The loss is a softmax over the catalogue or, for a large
    one, over a popularity-corrected sample, without other items that the user has.
    """

    batch_size: int = Field(512, ge=1, description="Approximate interactions in a batch.")
    epochs: int = Field(6, ge=1, description="Maximum number of epochs.")
    dimensions: int = Field(96, ge=2, description="Hidden size of the transformer.")
    layers: int = Field(2, ge=1, description="Blocks of the transformer.")
    heads: int = Field(2, ge=1, description="Attention heads; must divide `dimensions`.")
    length: int = Field(30, ge=1, description="Latest items of a user that are read.")
    dropout: float = Field(0.2, ge=0, lt=1, description="Dropout rate.")
    sampled_items: int = Field(
        2000,
        ge=1,
        description="Items sampled for the softmax of a batch; a smaller catalogue is used whole.",
    )
    popularity_correction: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Share of the log popularity that is added to the logits in training only.",
    )

    reads: ClassVar[tuple[str, ...]] = ("vectors",)
    evidence: ClassVar[str] = "what customers usually choose after items like your latest ones"

    search_space: ClassVar[Mapping[str, list[Any] | tuple[float, float]]] = {
        "learning_rate": (0.0003, 0.003),
        "dropout": [0.1, 0.2, 0.4],
        "popularity_correction": [0.0, 0.5, 1.0],
    }
    starting_points: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {"learning_rate": 0.001, "dropout": 0.2, "popularity_correction": 0.0},
        {"learning_rate": 0.002, "dropout": 0.2, "popularity_correction": 0.5},
        {"learning_rate": 0.001, "dropout": 0.4, "popularity_correction": 0.0},
    )

    @model_validator(mode="after")
    def _check_heads(self) -> SequenceTransformer:
        if self.dimensions % self.heads:
            raise ValueError(f"heads ({self.heads}) must divide dimensions ({self.dimensions})")
        return self

    def network(self, data: TrainingData) -> HistoryTransformer:
        """Return the projections and the transformer."""
        return HistoryTransformer(
            data.items.vectors.shape[1], self.dimensions, self.layers, self.heads, self.dropout
        )

    def objective(self, network: HistoryTransformer, data: TrainingData) -> Objective:
        """Return the softmax loss of every next item.

        Raises:
            NotApplicableError: the order of the interactions is unknown.
        """
        if not data.histories.has_order:
            raise NotApplicableError(
                "SequenceTransformer is left out: the order of the interactions is unknown."
            )
        sequences = Sequences.of(data.histories)
        users, ends = _windows(sequences.first, self.length)
        vectors = torch.from_numpy(data.items.vectors)
        counts = torch.from_numpy(data.histories.item_counts()).double()
        # An item without interactions counts as half an interaction.
        share = counts.clamp(min=0.5) / counts.sum()
        n_items, owned = len(vectors), Owned.of(data.histories)
        offset = self.popularity_correction * share.log()
        if n_items > self.sampled_items:
            # The sampling correction: frequently drawn items would otherwise be underestimated.
            offset -= torch.log(-torch.expm1(self.sampled_items * torch.log1p(-share)))
        offset = offset.float()

        def loss(batch: Tensor, generator: torch.Generator) -> Tensor:
            device = device_of(network)
            rows, present = sequences.before(users[batch], ends[batch], self.length + 1)
            items = sequences.items[rows]
            # The first item of a window is not predicted, and the last predicts nothing.
            read, targets = items[:, :-1][present[:, :-1]], items[:, 1:][present[:, :-1]]
            states = network(vectors[read].to(device), present[:, :-1].to(device))
            scored = torch.arange(n_items)
            if n_items > self.sampled_items:
                drawn = torch.multinomial(share, self.sampled_items, True, generator=generator)
                scored, targets = torch.unique(torch.cat([targets, drawn]), return_inverse=True)
                targets = targets[: len(states)]
            logits = network.logits(states, vectors[scored].to(device), offset[scored].to(device))
            readers = torch.repeat_interleave(users[batch], present[:, :-1].sum(dim=1))
            others = owned.others(readers, scored, targets)
            logits = logits.masked_fill(others.to(device), -torch.inf)
            return nn.functional.cross_entropy(logits, targets.to(device))

        predicted = len(sequences.users) - int((data.histories.history_lengths() > 0).sum())
        return Objective(len(users), loss, max(1, predicted) / max(1, len(users)))

    def score(
        self, arrays: Arrays, data: TrainingData, users: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return the logits of the next item; zeros for users without a history."""
        network = self.fitted_network(arrays, data)
        device = device_of(network)
        sequences = Sequences.of(data.histories)
        vectors = torch.from_numpy(data.items.vectors)

        def logits_of(block: NDArray[np.int64]) -> Tensor:
            rows, present = sequences.latest(block, self.length)
            states = network(vectors[sequences.items[rows[present]]].to(device), present.to(device))
            known = present[:, -1].to(device)
            latest = present.sum(dim=1).cumsum(dim=0)[present[:, -1]].to(device) - 1
            logits = torch.zeros(len(block), len(vectors), device=device)
            logits[known] = network.logits(states[latest], vectors.to(device))
            return logits

        return score_in_blocks(users, len(vectors), SCORED_AT_ONCE, logits_of)


def _windows(first: Tensor, length: int) -> tuple[Tensor, Tensor]:
    """Return users and end rows of windows of length + 1 that predict every next item once."""
    lengths = first[1:] - first[:-1]
    steps = (lengths - 1).clamp(min=0)
    n_windows = (steps + length - 1) // length
    users = torch.repeat_interleave(torch.arange(len(lengths)), n_windows)
    begun = torch.cumsum(n_windows, 0) - n_windows
    number = torch.arange(len(users)) - begun[users]
    return users, first[users + 1] - number * length
