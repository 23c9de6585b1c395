"""A learned text metric: linear maps of language vectors that predict choices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field

from longtail.arrays import Arrays
from longtail.recommenders.base import RECENT_DECAYS, Decay, Recommender, TrainingData
from longtail.recommenders.content.text_profile import user_profiles
from longtail.recommenders.neural.negatives import Owned
from longtail.text.whitening import unit_length

MAX_SHARPNESS = 50.0


class TextMetric(Recommender):
    """Two linear towers on language vectors, one for text profiles and one for items.

    Each interaction is predicted from the profile of the user's other items by a softmax over the
    items of its batch that the user does not have, corrected for their popularity (Yi et al.:
    Sampling-Bias-Corrected Neural Modeling for Large Corpus Item Recommendations, RecSys 2019). The
    towers read text alone, so what is learned from popular items transfers to rare and new ones.
    """

    dimensions: int = Field(128, ge=1, description="Output size of both towers.")
    epochs: int = Field(4, ge=1, description="Passes over the interactions.")
    max_steps: int = Field(1500, ge=1, description="Maximum number of batches.")
    batch_size: int = Field(1024, ge=2, description="Interactions in a batch.")
    learning_rate: float = Field(0.002, gt=0, description="Learning rate of Adam.")
    recency_decay: Decay = 0.7
    popularity_correction: float = Field(
        0.5,
        ge=0,
        le=1,
        description="Share of the log popularity subtracted from the logits in training.",
    )

    reads: ClassVar[tuple[str, ...]] = ("vectors",)
    places_items: ClassVar[bool] = True
    evidence: ClassVar[str] = "how well its description fits your taste"

    search_space: ClassVar[Mapping[str, list[Any] | tuple[float, float]]] = {
        "learning_rate": (0.0005, 0.01),
        "recency_decay": RECENT_DECAYS,
        "popularity_correction": [0.0, 0.5, 1.0],
    }
    starting_points: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {"learning_rate": 0.002, "recency_decay": 0.7, "popularity_correction": 0.5},
        {"learning_rate": 0.002, "recency_decay": 0.85, "popularity_correction": 0.0},
        {"learning_rate": 0.004, "recency_decay": 0.7, "popularity_correction": 1.0},
    )

    def fit(self, data: TrainingData) -> Arrays:
        """Return user_map, item_map (d, dimensions) and item_vectors (n_items, dimensions)."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(data.seed)
            user_map, item_map = self._train(data)
        mapped = unit_length(data.items.vectors @ item_map)
        return {"user_map": user_map, "item_map": item_map, "item_vectors": mapped}

    def score(
        self, arrays: Arrays, data: TrainingData, users: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return the cosines between the mapped profiles and the mapped items."""
        profiles = user_profiles(data, users, self.recency_decay)
        return unit_length(profiles @ arrays["user_map"]) @ arrays["item_vectors"].T

    def add_items(self, arrays: Arrays, data: TrainingData) -> Arrays:
        """Map the language vectors of the new items."""
        added = unit_length(data.items.vectors[len(arrays["item_vectors"]) :] @ arrays["item_map"])
        return arrays | {"item_vectors": np.concatenate([arrays["item_vectors"], added])}

    def _train(self, data: TrainingData) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        histories = data.histories
        weights = histories.weights * histories.recency_weights(self.recency_decay)
        sums = torch.from_numpy(histories.matrix(weights) @ data.items.vectors)
        vectors = torch.from_numpy(data.items.vectors)
        users, items = (torch.from_numpy(ids).long() for ids in (histories.users, histories.items))
        own = torch.from_numpy(weights)
        counts = torch.from_numpy(histories.item_counts())
        log_share = torch.log(counts / counts.sum()).float()
        owned, size = Owned.of(histories), vectors.shape[1]
        towers = [torch.nn.Parameter(torch.eye(size, min(size, self.dimensions))) for _ in range(2)]
        log_sharpness = torch.nn.Parameter(torch.tensor(np.log(10.0), dtype=torch.float32))
        optimiser = torch.optim.Adam([*towers, log_sharpness], lr=self.learning_rate)
        usable = torch.nonzero(torch.from_numpy(histories.history_lengths())[users] > 1)[:, 0]
        for batch in islice(self._batches(usable), self.max_steps):
            user, item = users[batch], items[batch]
            others = sums[user] - own[batch, None] * vectors[item]
            left = torch.nn.functional.normalize(others @ towers[0], dim=1)
            right = torch.nn.functional.normalize(vectors[item] @ towers[1], dim=1)
            logits = left @ right.T * log_sharpness.exp().clamp(max=MAX_SHARPNESS)
            logits = logits - self.popularity_correction * log_share[item]
            logits = logits.masked_fill(
                owned.others(user, item, torch.arange(len(batch))), -torch.inf
            )
            loss = torch.nn.functional.cross_entropy(logits, torch.arange(len(batch)))
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            optimiser.step()
        user_map, item_map = (tower.detach().numpy() for tower in towers)
        return user_map, item_map

    def _batches(self, usable: torch.Tensor) -> Iterator[torch.Tensor]:
        for _ in range(self.epochs):
            yield from torch.split(usable[torch.randperm(len(usable))], self.batch_size)
