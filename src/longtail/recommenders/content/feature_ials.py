"""Feature-aware iALS: the item text is a prior of the item factors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from longtail.arrays import Arrays
from longtail.recommenders.base import RECENT_DECAYS, TrainingData, with_decays
from longtail.recommenders.collaborative.factors import FactorDecay
from longtail.recommenders.collaborative.ials import IALS


class FeatureIALS(IALS):
    """iALS whose item factors are regularised towards a linear map of the language vectors.

    The factors of an item with few interactions stay close to the map. A new item gets the map of
    its language vector, a ridge regression to the fitted factors.
    """

    text_weight: float = Field(1.0, gt=0, description="L2 penalty on the map from the text.")

    reads: ClassVar[tuple[str, ...]] = ("vectors",)
    evidence: ClassVar[str] = "what customers with similar taste chose, and its description"
    search_space: ClassVar[Mapping[str, list[Any] | tuple[float, float]]] = {
        **IALS.search_space,
        "text_weight": [1.0, 30.0],
    }
    starting_points: ClassVar[tuple[Mapping[str, Any], ...]] = tuple(
        {**point, "text_weight": 1.0} for point in IALS.starting_points
    )

    def fit(self, data: TrainingData) -> Arrays:
        """Return the arrays of ``IALS.fit`` and text_map (d, factors).

        The factors of items without interactions are the map of their text.
        """
        warm = data.histories.item_counts() > 0
        text = data.items.vectors
        features = {"item_features": text[warm], "lambda_item_feature": self.text_weight}
        arrays = self._factorise(data, features)
        # Not sklearn's Ridge, which differs in the last digits.
        gram = text[warm].T @ text[warm] + self.text_weight * np.eye(text.shape[1], dtype="f4")
        text_map = np.linalg.solve(gram, text[warm].T @ arrays["item_factors"][warm])
        arrays["item_factors"][~warm] = text[~warm] @ text_map
        return arrays | {"text_map": np.ascontiguousarray(text_map)}


class RecentFeatureIALS(FeatureIALS):
    """Feature-aware iALS whose user factors are solved from recency-weighted histories."""

    recency_decay: FactorDecay = 0.7

    evidence: ClassVar[str] = "what customers with similar recent taste chose, and its description"
    search_space: ClassVar[Mapping[str, list[Any] | tuple[float, float]]] = {
        **FeatureIALS.search_space,
        "recency_decay": RECENT_DECAYS,
    }
    starting_points: ClassVar[tuple[Mapping[str, Any], ...]] = with_decays(
        FeatureIALS.starting_points
    )
