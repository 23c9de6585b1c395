"""Adaptation of language vectors to behaviour.

A linear map of the language vectors and a vector for each word piece are trained until the vectors
are as close as the items are related in behaviour. Both read text alone, so what is learned from
popular items transfers to rare and new ones.
"""

from __future__ import annotations

from collections.abc import Iterator

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

    steps: int = Field(500, ge=0, description="Batches; 0 leaves the vectors unchanged.")
    batch_size: int = Field(512, ge=2, description="Pairs of related items in a batch.")
    learning_rate: float = Field(
        0.001,
        gt=0,
        description="Peak learning rate: it rises linearly over the first tenth of the steps, then"
        " decays along a cosine.",
    )
    ridge: float = Field(
        100.0,
        gt=0,
        description="Ridge penalty in the partial correlations of items, on the scale of item"
        " counts.",
    )
    related: int = Field(100, ge=1, description="Partial correlations kept for each item.")
    sharpness: float = Field(
        2.0, gt=0, description="Exponent on the partial correlations: higher for the strongest."
    )
    token_dropout: float = Field(
        0.15, ge=0, lt=1, description="Share of the word pieces dropped at random in training."
    )
    seed: int = Field(42, ge=0, description="Seed of the sampling and the dropout.")


def adapt_vectors(
    vectors: NDArray[np.float32],
    tokens: sp.csr_array,
    relations: sp.csr_array,
    parameters: AdaptationParameters,
) -> tuple[NDArray[np.float32], NDArray[np.float32], Arrays]:
    """Return the adapted vectors of all items, the loss of each step, and what was learned.

    The relations are distilled into the vectors: each item of a batch predicts, by a softmax over
    its cosines, how its relations are shared out among the other items of the batch (Hinton,
    Vinyals, Dean: Distilling the Knowledge in a Neural Network, 2015). Two items that only happened
    to meet in a history, which contrastive training takes for a match, have no relation. All items
    are drawn equally often, popular or not, each with one of those related to it.

    Args:
        vectors: (n_items, d) float32 language vectors of unit length.
        tokens: (n_items, n_tokens) non-zero where the text of an item contains a word piece.
        relations: (n_items, n_items) float32, positive where items are related in behaviour.
        parameters: training parameters.

    Returns:
        (n_items, d) float32 of unit length, (parameters.steps,) float32, and the arrays that
        ``adapt_texts`` needs.
    """
    tower = ItemTower(vectors, tokens)
    losses = _train(tower, relations.power(parameters.sharpness), parameters)
    with torch.no_grad():
        blocks = np.array_split(np.arange(len(vectors)), -(-len(vectors) // ITEMS_AT_ONCE))
        adapted = torch.cat([tower(block, None) for block in blocks]).numpy()
    return unit_length(adapted), np.array(losses, dtype=np.float32), tower.learned()


def _train(
    tower: ItemTower, targets: sp.csr_array, parameters: AdaptationParameters
) -> list[float]:
    """Train the tower; return the loss of each step."""
    generator = np.random.default_rng(parameters.seed)
    rate = parameters.learning_rate
    optimisers: list[torch.optim.Optimizer] = [
        torch.optim.AdamW([tower.map, tower.log_sharpness], lr=rate),
        torch.optim.SparseAdam([tower.token_vectors.weight, tower.token_weights.weight], lr=rate),
    ]
    # Not OneCycleLR, which has one shape, linear or cosine, for both warm-up and decay.
    schedules = [
        LambdaLR(each, lambda step: _share_of_peak(step / max(1, parameters.steps)))
        for each in optimisers
    ]
    losses = []
    batches = draw_related(targets, parameters.steps, parameters.batch_size, generator)
    for batch in progress(batches, "Adapting language vectors", parameters.steps):
        for optimiser in optimisers:
            optimiser.zero_grad()
        loss = _batch_loss(tower, batch, targets, parameters.token_dropout, generator)
        torch.autograd.backward(loss)
        for optimiser, schedule in zip(optimisers, schedules, strict=True):
            optimiser.step()
            schedule.step()
        losses.append(float(loss.detach()))
    return losses


def draw_related(
    weights: sp.csr_array, n_batches: int, size: int, generator: np.random.Generator
) -> Iterator[NDArray[np.int64]]:
    """Yield the different items of ``size`` pairs of related items, ascending.

    The first item of a pair is any that is related to another, the second is drawn by the weights
    of the first one's row.
    """
    ends = np.concatenate([[0.0], np.cumsum(weights.data, dtype=np.float64)])
    related = np.flatnonzero(np.diff(weights.indptr))
    for _ in range(n_batches if len(related) else 0):
        first = generator.choice(related, size)
        low, high = ends[weights.indptr[first]], ends[weights.indptr[first + 1]]
        place = np.searchsorted(ends[1:], low + generator.random(size) * (high - low), "right")
        second = weights.indices[np.minimum(place, weights.indptr[first + 1] - 1)]
        yield np.unique(np.concatenate([first, second]))


def _share_of_peak(progress: float) -> float:
    """Return the share of the peak rate: linear over the first tenth, then along a cosine."""
    if progress < 0.1:
        return 0.04 + 9.6 * progress
    return float(0.5 + 0.5 * np.cos(np.pi * (progress - 0.1) / 0.9))


def _batch_loss(
    tower: ItemTower,
    items: NDArray[np.int64],
    targets: sp.csr_array,
    token_dropout: float,
    generator: np.random.Generator,
) -> torch.Tensor:
    """Return the cross-entropy of the items' relations within a batch."""
    n_tokens = int((tower.starts[items + 1] - tower.starts[items]).sum())
    vectors = tower(items, generator.random(n_tokens) >= token_dropout)
    logits = vectors @ vectors.T * tower.log_sharpness.exp().clamp(max=50)
    itself = torch.eye(len(items), dtype=torch.bool)
    log_shares = logits.masked_fill(itself, -torch.inf).log_softmax(dim=1)
    wanted = torch.from_numpy(targets[items][:, items].toarray())
    totals = wanted.sum(dim=1)
    related = totals > 0
    shares = wanted[related] / totals[related, None]
    loss: torch.Tensor = -(shares * log_shares.masked_fill(itself, 0)[related]).sum(dim=1).mean()
    return loss
