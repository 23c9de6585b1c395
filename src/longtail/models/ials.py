"""iALS with frequency-scaled regularisation, plain and with the item text as prior of the factors.

Rendle, Krichene, Zhang, Koren: Revisiting the Performance of iALS on Item Recommendation
Benchmarks, RecSys 2022; the feature-aware form is that of the `irspack` library.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
from irspack import IALSRecommender
from numpy.typing import NDArray
from pydantic import Field

from longtail.arrays import Arrays
from longtail.models.base import Recommender, TrainingData, rows_below
from longtail.models.factors import gram_of, solve_user_factors


class IALS(Recommender):
    """Weighted matrix factorisation whose regularisation grows with the number of interactions."""

    factors: int = Field(128, ge=1, description="Dimensions of the factors.")
    regularization: float = Field(0.003, gt=0, description="Penalty, scaled by frequency.")
    unobserved_weight: float = Field(0.1, gt=0, description="Weight of pairs not observed.")
    epochs: int = Field(12, ge=1, description="Sweeps over users and items.")
    recency_decay: float = Field(
        1.0, gt=0, le=1, description="Weight lost per newer item when a user's factors are solved."
    )

    evidence: ClassVar[str] = "the choices of people with your taste"
    user_arrays: ClassVar[tuple[str, ...]] = ("user_factors",)
    search_space: ClassVar[Mapping[str, list[Any] | tuple[float, float]]] = {
        "factors": [64, 128, 256, 384],
        "regularization": (0.0003, 0.03),
        "unobserved_weight": (0.01, 1.0),
    }
    starting_points: ClassVar[tuple[Mapping[str, Any], ...]] = tuple(
        {"factors": factors, "regularization": regularization, "unobserved_weight": weight}
        for factors, regularization, weight in [
            (128, 0.003, 0.1),
            (384, 0.01, 0.03),
            (384, 0.003, 0.03),
            (128, 0.01, 0.3),
        ]
    )

    def fit(self, data: TrainingData) -> Arrays:
        """Return user_factors, item_factors (one row each) and item_gram (factors, factors)."""
        return self._factorise(data, {})

    def score(
        self, arrays: Arrays, data: TrainingData, users: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return the inner products of user and item factors."""
        return arrays["user_factors"][users] @ arrays["item_factors"].T

    def fold_in(self, arrays: Arrays, data: TrainingData) -> Arrays:
        """Solve for the factors of the users of the data, the item factors being as fitted."""
        histories, weight = data.histories, self.unobserved_weight
        recency = histories.recency_weights(self.recency_decay)
        behaviour = histories.matrix(histories.weights * recency)
        frequency = np.bincount(histories.users, recency, histories.n_users)
        n_warm = np.count_nonzero(histories.item_counts())
        penalty = self.regularization * (weight * n_warm + frequency)
        gram = np.float32(weight) * arrays["item_gram"]
        users = solve_user_factors(arrays["item_factors"], gram, behaviour, behaviour, penalty)
        return arrays | {"user_factors": users}

    def add_items(self, arrays: Arrays, data: TrainingData) -> Arrays:
        """Give items that nobody has yet no factors, as the fit does."""
        factors = rows_below(arrays["item_factors"], data.histories.n_items)
        return arrays | {"item_factors": factors}

    def _factorise(self, data: TrainingData, features: dict[str, Any]) -> Arrays:
        """Fit on the items that somebody has: an item of the future must not look unwanted."""
        warm = np.flatnonzero(data.histories.item_counts())
        model = IALSRecommender(
            sp.csr_matrix(data.histories.matrix()[:, warm]),
            n_components=self.factors,
            reg=self.regularization,
            alpha0=self.unobserved_weight,
            train_epochs=self.epochs,
            random_seed=data.seed,
            n_threads=1,  # with more, the sums depend on who comes first
            **features,
        )
        # The library prints a progress bar of its own to the standard output.
        with contextlib.redirect_stdout(io.StringIO()):
            model.learn()
        item_factors = np.zeros((data.histories.n_items, self.factors), dtype=np.float32)
        item_factors[warm] = model.get_item_embedding()
        arrays = {
            "user_factors": np.ascontiguousarray(model.get_user_embedding(), dtype=np.float32),
            "item_factors": item_factors,
            # Of warm items: those that nobody has are no part of the fit.
            "item_gram": gram_of(item_factors[warm]),
        }
        return arrays if self.recency_decay == 1 else self.fold_in(arrays, data)


class FeatureIALS(IALS):
    """iALS whose item factors are drawn towards a linear map of the item text.

    An item with few interactions stays near its text; a new item is placed by the map alone, which
    a ridge regression from text to the fitted factors gives.
    """

    text_weight: float = Field(1.0, gt=0, description="Ridge penalty of the map from the text.")

    reads: ClassVar[tuple[str, ...]] = ("item_vectors",)
    evidence: ClassVar[str] = "the choices of people with your taste, read together with its text"
    search_space: ClassVar[Mapping[str, list[Any] | tuple[float, float]]] = {
        **IALS.search_space,
        "text_weight": [1.0, 30.0],
    }
    starting_points: ClassVar[tuple[Mapping[str, Any], ...]] = tuple(
        {**point, "text_weight": 1.0} for point in IALS.starting_points
    )

    def fit(self, data: TrainingData) -> Arrays:
        """Return user_factors, item_factors, item_gram and text_map (d, factors).

        The factors of items that nobody has come from their text.
        """
        warm = data.histories.item_counts() > 0
        text = data.item_vectors
        features = {"item_features": text[warm], "lambda_item_feature": self.text_weight}
        arrays = self._factorise(data, features)
        gram = text[warm].T @ text[warm] + self.text_weight * np.eye(text.shape[1], dtype="f4")
        text_map = np.linalg.solve(gram, text[warm].T @ arrays["item_factors"][warm])
        arrays["item_factors"][~warm] = text[~warm] @ text_map
        return arrays | {"text_map": np.ascontiguousarray(text_map)}

    def add_items(self, arrays: Arrays, data: TrainingData) -> Arrays:
        """Place the items by the map from their text."""
        n_fitted = len(arrays["item_factors"])
        placed = data.item_vectors[n_fitted:] @ arrays["text_map"]
        return arrays | {"item_factors": np.concatenate([arrays["item_factors"], placed])}


class RecentFeatureIALS(FeatureIALS):
    """Feature-aware iALS whose users are placed by their latest items above all."""

    recency_decay: float = Field(
        0.7, gt=0, le=1, description="Weight lost per newer item when a user's factors are solved."
    )

    evidence: ClassVar[str] = "the choices of people with your latest taste and its text"
    search_space: ClassVar[Mapping[str, list[Any] | tuple[float, float]]] = {
        **FeatureIALS.search_space,
        "recency_decay": [0.5, 0.7, 0.85],
    }
    starting_points: ClassVar[tuple[Mapping[str, Any], ...]] = tuple(
        {**point, "recency_decay": 0.7} for point in FeatureIALS.starting_points
    )
