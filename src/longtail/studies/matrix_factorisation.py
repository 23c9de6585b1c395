"""Matrix factorisation of stars with biases, fitted in closed form by turns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from longtail.arrays import Arrays
from longtail.behaviour.histories import Histories

BLOCK = 20_000


@dataclass(frozen=True)
class MatrixFactorisation:
    """Predict stars by ``mu + b_u + b_i + p_u q_i``.

    Probabilistic matrix factorisation (Mnih, Salakhutdinov: Probabilistic Matrix Factorization,
    NIPS 2007) with biases (Koren, Bell, Volinsky: Matrix Factorization Techniques for Recommender
    Systems, IEEE Computer 2009). The squared error plus ``regularization`` times the squares of all
    factors and biases is minimised over the users and over the items by turns, each time exactly.

    Attributes:
        factors: length of p and q; 0: biases alone.
        regularization: above 0, in squared stars.
        sweeps: turns of users and items.
        seed: seed of the initial item factors.
    """

    factors: int = 16
    regularization: float = 10.0
    sweeps: int = 20
    seed: int = 42

    def fit(self, histories: Histories, ratings: NDArray[np.float32]) -> Arrays:
        """Return mean (1,), users (n_users, factors + 1), items (n_items, factors + 1), float64.

        The last column holds the biases; users and items without stars have zeros.

        Args:
            histories: past behaviour.
            ratings: (n,) stars of the interactions, NaN where unknown; one at least is known.
        """
        known = np.isfinite(ratings)
        users = histories.users[known].astype(np.int64)
        items = histories.items[known].astype(np.int64)
        stars = ratings[known].astype(np.float64)
        mean = float(stars.mean())
        residual = stars - mean
        generator = np.random.default_rng(self.seed)
        of_items: NDArray[np.float64]
        of_items = generator.normal(0, 0.1, (histories.n_items, self.factors + 1))
        of_items[:, -1] = 0
        of_users = np.zeros((histories.n_users, self.factors + 1))
        for _ in range(self.sweeps):
            of_users = self._solve(users, items, residual, of_items, histories.n_users)
            of_items = self._solve(items, users, residual, of_users, histories.n_items)
        return {"mean": np.array([mean]), "users": of_users, "items": of_items}

    @staticmethod
    def predict(
        arrays: Arrays, users: NDArray[np.int64], items: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Return (n,) the predicted stars of user-item pairs."""
        p, q = arrays["users"][users], arrays["items"][items]
        interaction = (p[:, :-1] * q[:, :-1]).sum(axis=1)
        predicted: NDArray[np.float64] = arrays["mean"] + p[:, -1] + q[:, -1] + interaction
        return predicted

    def _solve(
        self,
        rows: NDArray[np.int64],
        columns: NDArray[np.int64],
        residual: NDArray[np.float64],
        other: NDArray[np.float64],
        n_rows: int,
    ) -> NDArray[np.float64]:
        """Return (n_rows, factors + 1) the ridge regression of each row on the other side."""
        size = self.factors + 1
        normal = np.zeros((n_rows, size, size))
        right = np.zeros((n_rows, size))
        order = np.argsort(rows, kind="stable")
        for start in range(0, len(order), BLOCK):
            part = order[start : start + BLOCK]
            features = other[columns[part]].copy()
            wanted = residual[part] - features[:, -1]
            features[:, -1] = 1
            there, first = np.unique(rows[part], return_index=True)
            outer = features[:, :, None] * features[:, None, :]
            normal[there] += np.add.reduceat(outer, first, axis=0)
            right[there] += np.add.reduceat(features * wanted[:, None], first, axis=0)
        ridge: NDArray[np.float64] = self.regularization * np.eye(size)
        solved = np.linalg.solve(normal + ridge, right[..., None])[..., 0]
        return np.asarray(solved, dtype=np.float64)
