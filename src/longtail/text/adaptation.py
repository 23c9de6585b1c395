"""Adaptation of language vectors to behaviour.

A linear map of the language vectors and a vector for each word piece are trained so that items of
the same history move together. Both read text alone, so what is learned from popular items
transfers to rare and new ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from torch.optim.lr_scheduler import LambdaLR

from longtail.arrays import Arrays
from longtail.progress import progress
from longtail.text.item_tower import ItemTower
from longtail.text.whitening import unit_length

ITEMS_AT_ONCE = 4096


class AdaptationParameters(BaseModel):
    """How language vectors are adapted to behaviour."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    epochs: int = Field(
        8, ge=0, description="Passes over the pairs of items; 0 leaves the vectors unchanged."
    )
    max_steps: int = Field(500, ge=1, description="Maximum number of batches.")
    batch_size: int = Field(512, ge=2, description="Pairs of items in a batch.")
    learning_rate: float = Field(
        0.001,
        gt=0,
        description="Peak learning rate: it rises linearly over the first tenth of the steps, then"
        " decays along a cosine.",
    )
    window: int = Field(
        5, ge=1, description="Maximum distance of the two items of a pair within a history."
    )
    tail_power: float = Field(
        0.5,
        ge=0,
        le=1,
        description="Exponent p of the sampling weight (count * count) ** -(p / 2) of a pair: 0 for"
        " equal weights, 1 favours rare items.",
    )
    token_dropout: float = Field(
        0.15, ge=0, lt=1, description="Share of the word pieces dropped at random in training."
    )
    seed: int = Field(42, ge=0, description="Seed of the sampling and the dropout.")


@dataclass(frozen=True)
class ItemPairs:
    """Pairs of items that are close in a user's history, with their sampling probabilities.

    Attributes:
        first: (n,) item indices.
        second: (n,) item indices.
        probabilities: (n,) sampling probabilities, which sum to 1.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    probabilities: NDArray[np.float64]


def consumption_pairs(
    users: NDArray[np.integer],
    items: NDArray[np.integer],
    window: int,
    tail_power: float,
    ordered: bool = True,
    seed: int = 42,
) -> ItemPairs:
    """Return the pairs of different items within ``window`` steps of a user's history.

    Args:
        users: (n,) user indices, ascending, with the interactions of a user in order of time.
        items: (n,) item indices.
        window: maximum distance of the two items of a pair.
        tail_power: exponent of the sampling weight, see ``AdaptationParameters``.
        ordered: whether the order in time is known. If not, each item is paired with random items
            of the same history, as many as in a window.
        seed: seed of the random pairs.
    """
    if not ordered:
        items = items[np.lexsort((np.random.default_rng(seed).permutation(len(users)), users))]
    pairs = []
    for step in range(1, window + 1):
        close = (users[step:] == users[:-step]) & (items[step:] != items[:-step])
        pairs.append(np.stack([items[:-step][close], items[step:][close]]))
    first, second = np.concatenate(pairs, axis=1).astype(np.int64)
    counts = np.bincount(items)
    weights = (counts[first] * counts[second]).astype(np.float64) ** -(tail_power / 2)
    return ItemPairs(first, second, weights / weights.sum())


def adapt_vectors(
    vectors: NDArray[np.float32],
    tokens: sp.csr_array,
    pairs: ItemPairs,
    parameters: AdaptationParameters,
) -> tuple[NDArray[np.float32], NDArray[np.float32], Arrays]:
    """Return the adapted vectors of all items, the loss of each step, and what was learned.

    Each item of a pair predicts the other among the items of its batch: a symmetric softmax over
    cosines (van den Oord, Li, Vinyals: Contrastive Predictive Coding, 2018), corrected for the
    sampling rate (Yi et al.: Sampling-Bias-Corrected Neural Modeling for Large Corpus Item
    Recommendations, RecSys 2019), so that popular items are not pushed away.

    Args:
        vectors: (n_items, d) float32 language vectors of unit length.
        tokens: (n_items, n_tokens) non-zero where the text of an item contains a word piece.
        pairs: pairs of items to bring together.
        parameters: training parameters.

    Returns:
        (n_items, d) float32 of unit length, (n_steps,) float32, and the arrays that
        ``adapt_texts`` needs.
    """
    tower = ItemTower(vectors, tokens)
    losses = _train(tower, pairs, parameters)
    with torch.no_grad():
        blocks = np.array_split(np.arange(len(vectors)), -(-len(vectors) // ITEMS_AT_ONCE))
        adapted = torch.cat([tower(block, None) for block in blocks]).numpy()
    return unit_length(adapted), np.array(losses, dtype=np.float32), tower.learned()


def _train(tower: ItemTower, pairs: ItemPairs, parameters: AdaptationParameters) -> list[float]:
    """Train the tower; return the loss of each step."""
    generator = np.random.default_rng(parameters.seed)
    n_steps = min(
        parameters.max_steps, -(-parameters.epochs * len(pairs.first) // parameters.batch_size)
    )
    rate = parameters.learning_rate
    optimisers: list[torch.optim.Optimizer] = [
        torch.optim.AdamW([tower.map, tower.log_sharpness], lr=rate),
        torch.optim.SparseAdam([tower.token_vectors.weight, tower.token_weights.weight], lr=rate),
    ]
    # Not OneCycleLR, which has one shape, linear or cosine, for both warm-up and decay.
    schedules = [
        LambdaLR(each, lambda step: _share_of_peak(step / max(1, n_steps))) for each in optimisers
    ]
    log_rate = _log_sampling_rate(pairs, len(tower.vectors))
    losses = []
    batches = _batches(pairs, n_steps, parameters.batch_size, generator)
    for batch in progress(batches, "Adapting language vectors", n_steps):
        for optimiser in optimisers:
            optimiser.zero_grad()
        loss = _batch_loss(tower, batch, log_rate, parameters.token_dropout, generator)
        torch.autograd.backward(loss)
        for optimiser, schedule in zip(optimisers, schedules, strict=True):
            optimiser.step()
            schedule.step()
        losses.append(float(loss.detach()))
    return losses


def _log_sampling_rate(pairs: ItemPairs, n_items: int) -> torch.Tensor:
    """Return (n_items,) the log of how often an item is drawn for each pair."""
    drawn = np.bincount(pairs.first, pairs.probabilities, n_items)
    drawn += np.bincount(pairs.second, pairs.probabilities, n_items)
    return torch.from_numpy(np.log(np.maximum(drawn, 1e-12)).astype(np.float32))


def _batches(
    pairs: ItemPairs, n_steps: int, size: int, generator: np.random.Generator
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield batches of pairs, drawn with replacement."""
    cumulated = np.cumsum(pairs.probabilities)
    for _ in range(n_steps):
        rows = np.searchsorted(cumulated, generator.random(size) * cumulated[-1])
        yield pairs.first[rows], pairs.second[rows]


def _share_of_peak(progress: float) -> float:
    """Return the share of the peak rate: linear over the first tenth, then along a cosine."""
    if progress < 0.1:
        return 0.04 + 9.6 * progress
    return float(0.5 + 0.5 * np.cos(np.pi * (progress - 0.1) / 0.9))


def _batch_loss(
    tower: ItemTower,
    batch: tuple[NDArray[np.int64], NDArray[np.int64]],
    log_rate: torch.Tensor,
    token_dropout: float,
    generator: np.random.Generator,
) -> torch.Tensor:
    """Return the symmetric softmax loss of a batch of pairs."""
    items, positions = np.unique(np.concatenate(batch), return_inverse=True)
    n_tokens = int((tower.starts[items + 1] - tower.starts[items]).sum())
    vectors = tower(items, generator.random(n_tokens) >= token_dropout)
    logits = vectors @ vectors.T * tower.log_sharpness.exp().clamp(max=50)
    logits = logits - log_rate[torch.from_numpy(items)]
    logits = logits.masked_fill(torch.eye(len(items), dtype=torch.bool), -torch.inf)
    anchors, targets = torch.split(torch.from_numpy(positions), len(batch[0]))
    log_shares = logits.log_softmax(dim=1)
    loss: torch.Tensor = log_shares[anchors, targets].mean() + log_shares[targets, anchors].mean()
    return -loss / 2
