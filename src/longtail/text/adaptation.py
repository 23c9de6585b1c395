"""Adapting language vectors to what is chosen together.

The frozen model knows what texts mean; behaviour knows which meanings matter here. A linear map of
the language vectors and a vector for each word piece are trained so that items which the same
people chose come close to each other. Both read text alone, so that what popular items teach holds
for rare and new ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from torch.nn import functional
from tqdm.auto import tqdm

from longtail.arrays import Arrays
from longtail.text.whitening import unit_length

# Of the logarithm of a word piece's weight.
MOST_WEIGHT = 5.0


class AdaptationParameters(BaseModel):
    """How language vectors are trained on what the same users chose."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    epochs: int = Field(8, ge=0, description="Passes over the pairs; 0 leaves the vectors.")
    max_steps: int = Field(500, ge=1, description="Batches, where the passes have more.")
    batch_size: int = Field(512, ge=2, description="Pairs of items in a batch.")
    learning_rate: float = Field(0.001, gt=0, description="Peak of the one-cycle schedule.")
    window: int = Field(5, ge=1, description="Steps between the two items of a pair, at most.")
    tail_power: float = Field(
        0.5, ge=0, le=1, description="Pairs are drawn with weight (count * count) ** -(power / 2)."
    )
    token_dropout: float = Field(0.15, ge=0, lt=1, description="Word pieces left out of a batch.")
    seed: int = Field(42, ge=0, description="Seed of drawn pairs and left-out word pieces.")


@dataclass(frozen=True)
class ItemPairs:
    """Pairs of items that stand close in one user's history, with the probability to draw each.

    Attributes:
        first: (n,) item indices.
        second: (n,) item indices.
        probabilities: (n,) they sum to 1.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    probabilities: NDArray[np.float64]


def consumption_pairs(
    users: NDArray[np.integer], items: NDArray[np.integer], window: int, tail_power: float
) -> ItemPairs:
    """Return the pairs of different items within ``window`` steps of one user's history.

    Args:
        users: (n,) user indices, ascending; the interactions of a user in the order of time.
        items: (n,) item indices.
        window: steps between the two.
        tail_power: 0 draws every pair alike; 1 draws a pair of rare items more often, by the
            geometric mean of the two counts.
    """
    pairs = []
    for step in range(1, window + 1):
        close = (users[step:] == users[:-step]) & (items[step:] != items[:-step])
        pairs.append(np.stack([items[:-step][close], items[step:][close]]))
    first, second = np.concatenate(pairs, axis=1).astype(np.int64)
    counts = np.bincount(items)
    weights = (counts[first] * counts[second]).astype(np.float64) ** -(tail_power / 2)
    return ItemPairs(first, second, weights / weights.sum())


class ItemTower(torch.nn.Module):
    """A linear map of the language vector plus a weighted mean of vectors of its word pieces.

    It starts as the identity: untrained, it returns the language vectors.
    """

    def __init__(self, vectors: NDArray[np.float32], tokens: sp.csr_array):
        super().__init__()
        self.vectors = torch.from_numpy(vectors)
        self.token_ids = torch.from_numpy(tokens.indices.astype(np.int64))
        self.starts = tokens.indptr.astype(np.int64)
        size, n_tokens = vectors.shape[1], tokens.shape[1]
        self.map = torch.nn.Parameter(torch.eye(size))
        self.token_vectors = torch.nn.Embedding(n_tokens, size, sparse=True)
        self.token_weights = torch.nn.Embedding(n_tokens, 1, sparse=True)
        self.log_sharpness = torch.nn.Parameter(torch.tensor(np.log(14.0), dtype=torch.float32))
        for embedding in (self.token_vectors, self.token_weights):
            torch.nn.init.zeros_(embedding.weight)

    def learned(self) -> Arrays:
        """Return map and, of trained word pieces, token_ids, token_vectors and token_weights."""
        vectors, weights = self.token_vectors.weight.detach(), self.token_weights.weight.detach()
        trained = torch.nonzero(vectors.any(dim=1) | weights.any(dim=1))[:, 0]
        return {
            "map": self.map.detach().numpy(),
            "token_ids": trained.numpy(),
            "token_vectors": vectors[trained].numpy(),
            "token_weights": weights[trained, 0].clamp(-MOST_WEIGHT, MOST_WEIGHT).exp().numpy(),
        }

    def forward(self, items: NDArray[np.int64], kept: NDArray[np.bool_] | None) -> torch.Tensor:
        """Return (len(items), d) unit vectors; ``kept`` says which of their word pieces count."""
        lengths = self.starts[items + 1] - self.starts[items]
        ends = np.cumsum(lengths)
        places = np.arange(ends[-1]) - np.repeat(ends - lengths - self.starts[items], lengths)
        rows = np.repeat(np.arange(len(items)), lengths)
        if kept is not None:
            places, rows = places[kept[: len(places)]], rows[kept[: len(places)]]
        ids, owner = self.token_ids[torch.from_numpy(places)], torch.from_numpy(rows)
        weights = self.token_weights(ids)[:, 0].clamp(-MOST_WEIGHT, MOST_WEIGHT).exp()
        totals = torch.zeros(len(items)).index_add(0, owner, weights)
        words = torch.zeros(len(items), self.vectors.shape[1])
        shares = (weights / totals[owner])[:, None]
        words = words.index_add(0, owner, shares * self.token_vectors(ids))
        meanings = self.vectors[torch.from_numpy(items)] @ self.map
        return functional.normalize(meanings + words, dim=1)


def adapt_vectors(
    vectors: NDArray[np.float32],
    tokens: sp.csr_array,
    pairs: ItemPairs,
    parameters: AdaptationParameters,
) -> tuple[NDArray[np.float32], NDArray[np.float32], Arrays]:
    """Return the adapted vectors of all items, the loss of every step, and what was learned.

    Each item of a pair has to find the other among the items of its batch: a symmetric softmax over
    cosines (van den Oord, Li, Vinyals: Contrastive Predictive Coding, 2018), corrected for how
    often an item is drawn (Yi et al.: Sampling-Bias-Corrected Neural Modeling for Large Corpus Item
    Recommendations, RecSys 2019), so that popular items are not pushed away for being popular.

    Args:
        vectors: (n_items, d) float32 language vectors of unit length.
        tokens: (n_items, n_tokens) non-zero where the text of an item holds a word piece.
        pairs: items that belong together.
        parameters: see there.

    Returns:
        (n_items, d) float32 of unit length, (n_steps,) float32, and what ``adapt_texts`` needs.
    """
    generator = np.random.default_rng(parameters.seed)
    tower = ItemTower(vectors, tokens)
    dense = torch.optim.AdamW([tower.map, tower.log_sharpness], lr=parameters.learning_rate)
    words = [tower.token_vectors.weight, tower.token_weights.weight]
    sparse = torch.optim.SparseAdam(words, lr=parameters.learning_rate)
    drawn = np.bincount(pairs.first, pairs.probabilities, len(vectors))
    drawn += np.bincount(pairs.second, pairs.probabilities, len(vectors))
    log_drawn = torch.from_numpy(np.log(np.maximum(drawn, 1e-12)).astype(np.float32))
    n_steps = min(
        parameters.max_steps, -(-parameters.epochs * len(pairs.first) // parameters.batch_size)
    )
    losses = []
    for step, batch in enumerate(
        tqdm(_batches(pairs, n_steps, parameters.batch_size, generator), "Adapting", n_steps)
    ):
        rate = parameters.learning_rate * _one_cycle(step / n_steps)
        for optimizer in (dense, sparse):
            optimizer.param_groups[0]["lr"] = rate
            optimizer.zero_grad()
        loss = _batch_loss(tower, batch, log_drawn, parameters.token_dropout, generator)
        loss.backward()
        dense.step()
        sparse.step()
        losses.append(float(loss.detach()))
    with torch.no_grad():
        blocks = np.array_split(np.arange(len(vectors)), -(-len(vectors) // 4096))
        adapted = torch.cat([tower(block, None) for block in blocks]).numpy()
    return unit_length(adapted), np.array(losses, dtype=np.float32), tower.learned()


def adapt_texts(
    learned: Arrays, vectors: NDArray[np.float32], tokens: sp.csr_array
) -> NDArray[np.float32]:
    """Return the adapted vectors of texts that the training did not see.

    Args:
        learned: as ``adapt_vectors`` returned it.
        vectors: (n, d) float32 language vectors of unit length.
        tokens: (n, n_tokens) non-zero where a text holds a word piece.

    Returns:
        (n, d) float32 of unit length.
    """
    # A word piece that the training did not meet says nothing, but takes its share of the text.
    weight = np.ones(tokens.shape[1], dtype=np.float32)
    weight[learned["token_ids"]] = learned["token_weights"]
    weighted = tokens.multiply(weight).tocsr()
    totals = np.maximum(weighted.sum(axis=1), 1e-12)
    words = (weighted[:, learned["token_ids"]] @ learned["token_vectors"]) / totals[:, None]
    return unit_length((vectors @ learned["map"] + words).astype(np.float32))


def _batches(
    pairs: ItemPairs, n_steps: int, size: int, generator: np.random.Generator
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    cumulated = np.cumsum(pairs.probabilities)
    for _ in range(n_steps):
        rows = np.searchsorted(cumulated, generator.random(size) * cumulated[-1])
        yield pairs.first[rows], pairs.second[rows]


def _one_cycle(progress: float) -> float:
    """Return the share of the peak rate: up over the first tenth, then down along a cosine."""
    if progress < 0.1:
        return 0.04 + 9.6 * progress
    return float(0.5 + 0.5 * np.cos(np.pi * (progress - 0.1) / 0.9))


def _batch_loss(
    tower: ItemTower,
    batch: tuple[NDArray[np.int64], NDArray[np.int64]],
    log_drawn: torch.Tensor,
    token_dropout: float,
    generator: np.random.Generator,
) -> torch.Tensor:
    items, positions = np.unique(np.concatenate(batch), return_inverse=True)
    n_tokens = int((tower.starts[items + 1] - tower.starts[items]).sum())
    vectors = tower(items, generator.random(n_tokens) >= token_dropout)
    logits = vectors @ vectors.T * tower.log_sharpness.exp().clamp(max=50)
    logits = logits - log_drawn[torch.from_numpy(items)]
    logits = logits.masked_fill(torch.eye(len(items), dtype=torch.bool), -torch.inf)
    anchors, targets = torch.from_numpy(positions).split(len(batch[0]))
    log_shares = logits.log_softmax(dim=1)
    return -(log_shares[anchors, targets].mean() + log_shares[targets, anchors].mean()) / 2
