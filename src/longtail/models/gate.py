"""The gate: how much each piece of evidence counts, learned from held-out choices.

A linear listwise ranker: its features may cross the evidence with properties of the item, so that a
source counts more or less on the tail, while every score stays an exact sum of shares.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.optimize
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

Float = NDArray[np.float64]


class GateParameters(BaseModel):
    """How the gate is fitted; the same on every data set."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ridge: float = Field(0.01, ge=0, description="Squared penalty of the weights.")
    iterations: int = Field(60, ge=1, description="Steps of the optimiser.")


@dataclass(frozen=True)
class Lists:
    """Candidates of users as rows of features, user after user.

    Attributes:
        indptr: (n_users + 1,) row boundaries of the users.
        features: (n, n_features) float32.
        names: names of the feature columns.
    """

    indptr: NDArray[np.int64]
    features: NDArray[np.float32]
    names: tuple[str, ...]


@dataclass(frozen=True)
class Gate:
    """Weights of the features.

    Attributes:
        names: feature names.
        weights: (n_features,) weight of each feature as it is.
        importance: (n_features,) weight times the feature's standard deviation over the candidates
            of the fit, comparable between features.
    """

    names: tuple[str, ...]
    weights: Float
    importance: Float

    def score(self, lists: Lists) -> Float:
        """Return (n,) scores: the sums of ``shares``."""
        return lists.features @ self.weights

    def shares(self, lists: Lists, rows: NDArray[np.int64]) -> Float:
        """Return (len(rows), n_features) what each feature adds to the score of a candidate."""
        return lists.features[rows] * self.weights


def fit_gate(lists: Lists, relevant: NDArray[np.bool_], parameters: GateParameters) -> Gate:
    """Fit the gate on candidates of which some were really chosen.

    Args:
        lists: candidates of users.
        relevant: (n,) whether a candidate was chosen; users without any are left out.
        parameters: strength and length of the fit.

    Raises:
        ValueError: no candidate was chosen by anybody.
    """
    if not relevant.any():
        raise ValueError("No validation user chose any of the candidates: there is nothing to fit.")
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
    """Minimise the mean over chosen items of -log softmax against the user's other candidates.

    Conditional logit (McFadden 1974): a chosen item competes with those that were not chosen.
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
        penalty = parameters.ridge
        return loss / n_chosen + penalty * float(
            weights @ weights
        ), gradient + 2 * penalty * weights

    result = scipy.optimize.minimize(
        objective,
        np.zeros(features.shape[1]),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": parameters.iterations},
    )
    return result.x
