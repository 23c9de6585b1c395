"""The gate: a linear listwise ranker that weighs the evidence, fitted on held-out choices.

Features may be products of evidence and item properties, so a source can weigh more or less on the
tail; each score is still the exact sum of its contributions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.optimize
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

Float = NDArray[np.float64]


class GateParameters(BaseModel):
    """How the gate is fitted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ridge: float = Field(
        0.01, ge=0, description="L2 penalty on the weights of the standardised features."
    )
    iterations: int = Field(60, ge=1, description="Maximum number of L-BFGS steps.")


@dataclass(frozen=True)
class Lists:
    """Feature rows of the candidates, grouped by user.

    Attributes:
        indptr: (n_users + 1,) the rows of user u are ``indptr[u]:indptr[u + 1]``.
        features: (n, n_features) float32; float64 for means.
        names: names of the feature columns.
    """

    indptr: NDArray[np.int64]
    features: NDArray[np.floating]
    names: tuple[str, ...]


@dataclass(frozen=True)
class Gate:
    """A fitted gate: the weights of its features.

    Attributes:
        names: feature names.
        weights: (n_features,) weight of each unscaled feature.
        importance: (n_features,) weight times the standard deviation of the feature over the
            fitted candidates, comparable between features.
    """

    names: tuple[str, ...]
    weights: Float
    importance: Float

    @classmethod
    def of_one(cls, names: tuple[str, ...], feature: str) -> Gate:
        """Return the gate whose score is a single feature.

        Args:
            names: feature names.
            feature: one of them.
        """
        weights = (np.array(names) == feature).astype(np.float64)
        return cls(names, weights, weights)

    def score(self, lists: Lists) -> Float:
        """Return (n,) scores: the sums of ``contributions``."""
        return lists.features @ self.weights

    def contributions(self, lists: Lists, rows: NDArray[np.int64]) -> Float:
        """Return (len(rows), n_features): what each feature adds to the score of a candidate."""
        return lists.features[rows] * self.weights


def fit_gate(lists: Lists, relevant: NDArray[np.bool_], parameters: GateParameters) -> Gate:
    """Fit the gate on candidates, some of which were chosen.

    Args:
        lists: candidates of users.
        relevant: (n,) whether a candidate was chosen; users who chose none are ignored.
        parameters: penalty and number of steps.

    Raises:
        ValueError: no candidate was chosen.
    """
    if not relevant.any():
        raise ValueError("The gate cannot be fitted: no validation user chose any candidate.")
    lengths = np.diff(lists.indptr)
    user = np.repeat(np.arange(len(lengths)), lengths)
    informative = np.bincount(user[relevant], minlength=len(lengths)) > 0
    rows = informative[user]
    features = lists.features[rows]
    centre = features.mean(axis=0, dtype=np.float64)
    spread = features.std(axis=0, dtype=np.float64)
    scale = np.where(spread > 1e-9, spread, 1.0)
    standardised = ((features - centre) / scale).astype(np.float32)
    importance = _fit_listwise(standardised, relevant[rows], lengths[informative], parameters)
    return Gate(lists.names, importance / scale, importance)


def _fit_listwise(
    features: NDArray[np.float32],
    relevant: NDArray[np.bool_],
    lengths: NDArray[np.int64],
    parameters: GateParameters,
) -> Float:
    """Minimise the mean -log softmax of chosen items against the user's unchosen candidates.

    The conditional logit of McFadden: Conditional Logit Analysis of Qualitative Choice Behavior,
    1974.
    """
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    user = np.repeat(np.arange(len(lengths)), lengths)
    n_chosen = relevant.sum()

    def objective(weights: Float) -> tuple[float, Float]:
        scores = (features @ weights.astype(np.float32)).astype(np.float64)
        scores -= np.maximum.reduceat(scores, starts)[user]
        odds = np.exp(scores)
        others = np.add.reduceat(np.where(relevant, 0.0, odds), starts)
        chosen_user = user[relevant]
        total = odds[relevant] + others[chosen_user]
        loss = np.log(total).sum() - scores[relevant].sum()
        pull = np.bincount(chosen_user, weights=1.0 / total, minlength=len(lengths))
        slope = np.where(relevant, 0.0, odds * pull[user])
        slope[relevant] = odds[relevant] / total - 1.0
        gradient = (slope.astype(np.float32) @ features).astype(np.float64) / n_chosen
        ridge = parameters.ridge
        penalised = loss / n_chosen + ridge * float(weights @ weights)
        return penalised, gradient + 2 * ridge * weights

    result = scipy.optimize.minimize(
        objective,
        np.zeros(features.shape[1]),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": parameters.iterations},
    )
    weights: Float = result.x
    return weights
