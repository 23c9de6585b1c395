"""Matrix factorisation of stars with biases, fitted in closed form by turns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from longtail.arrays import Arrays
from longtail.behaviour.histories import Histories


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
            ratings: (n,) stars of the interactions, each user-item pair once, NaN where unknown;
                one at least is known.
        """
        known = np.isfinite(ratings)
        stars = ratings[known].astype(np.float64)
        mean = float(stars.mean())
        pairs = (histories.users[known], histories.items[known])
        shape = (histories.n_users, histories.n_items)
        residual = sp.csr_array((stars - mean, pairs), shape=shape)
        transposed = residual.T.tocsr()
        generator = np.random.default_rng(self.seed)
        of_items: NDArray[np.float64]
        of_items = generator.normal(0, 0.1, (histories.n_items, self.factors + 1))
        of_items[:, -1] = 0
        for _ in range(self.sweeps):
            of_users = self._solve(residual, of_items)
            of_items = self._solve(transposed, of_users)
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

    def _solve(self, residual: sp.csr_array, other: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (n, factors + 1): the ridge regression of each row on the other side.

        Args:
            residual: (n, m) stars less their mean; every known star has an entry.
            other: (m, factors + 1) factors and biases of the columns.
        """
        size = self.factors + 1
        features = other.copy()
        features[:, -1] = 1
        known = residual.copy()
        known.data = np.ones_like(known.data)
        products = (features[:, :, None] * features[:, None, :]).reshape(len(other), size**2)
        normal = (known @ products).reshape(-1, size, size)
        right = residual @ features - known @ (features * other[:, -1:])
        ridge: NDArray[np.float64] = self.regularization * np.eye(size)
        solved = np.linalg.solve(normal + ridge, right[..., None])[..., 0]
        return np.asarray(solved, dtype=np.float64)
