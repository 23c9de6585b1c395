"""The trained part of adapted vectors: a linear map and a vector for each word piece."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from longtail.arrays import Arrays
from longtail.text.whitening import unit_length

# Bound on the log weight of a word piece.
MAX_LOG_WEIGHT = 5.0


class ItemTower(torch.nn.Module):
    """A linear map of the language vector plus a weighted mean of word-piece vectors.

    Untrained, it returns the language vectors.
    """

    def __init__(self, vectors: NDArray[np.float32], tokens: sp.csr_array):
        super().__init__()
        self.vectors = torch.from_numpy(vectors)
        self.token_ids = torch.from_numpy(tokens.indices.astype(np.int64))
        self.starts: NDArray[np.int64] = tokens.indptr.astype(np.int64)
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
            "token_weights": weights[trained, 0]
            .clamp(-MAX_LOG_WEIGHT, MAX_LOG_WEIGHT)
            .exp()
            .numpy(),
        }

    def forward(self, items: NDArray[np.int64], kept: NDArray[np.bool_] | None) -> Tensor:
        """Return (len(items), d) unit vectors.

        Args:
            items: item indices.
            kept: (n_tokens,) mask over the word pieces of the items, in order; None keeps all.
        """
        lengths = self.starts[items + 1] - self.starts[items]
        ends = np.cumsum(lengths)
        places = np.arange(ends[-1]) - np.repeat(ends - lengths - self.starts[items], lengths)
        rows = np.repeat(np.arange(len(items)), lengths)
        if kept is not None:
            places, rows = places[kept[: len(places)]], rows[kept[: len(places)]]
        ids, owner = self.token_ids[torch.from_numpy(places)], torch.from_numpy(rows)
        weights = self.token_weights(ids)[:, 0].clamp(-MAX_LOG_WEIGHT, MAX_LOG_WEIGHT).exp()
        totals = torch.zeros(len(items)).index_add(0, owner, weights)
        words = torch.zeros(len(items), self.vectors.shape[1])
        shares = (weights / totals[owner])[:, None]
        words = words.index_add(0, owner, shares * self.token_vectors(ids))
        meanings = self.vectors[torch.from_numpy(items)] @ self.map
        return functional.normalize(meanings + words, dim=1)


def adapt_texts(
    learned: Arrays, vectors: NDArray[np.float32], tokens: sp.csr_array
) -> NDArray[np.float32]:
    """Return the adapted vectors of texts that were not part of the training.

    Args:
        learned: output of ``ItemTower.learned``.
        vectors: (n, d) float32 language vectors of unit length.
        tokens: (n, n_tokens) non-zero where a text contains a word piece.

    Returns:
        (n, d) float32 of unit length.
    """
    # An untrained word piece has a zero vector and weight 1, as in the tower.
    weight = np.ones(tokens.shape[1], dtype=np.float32)
    weight[learned["token_ids"]] = learned["token_weights"]
    weighted = tokens.multiply(weight).tocsr()
    totals = np.maximum(weighted.sum(axis=1), 1e-12)
    words = (weighted[:, learned["token_ids"]] @ learned["token_vectors"]) / totals[:, None]
    return unit_length((vectors @ learned["map"] + words).astype(np.float32))
