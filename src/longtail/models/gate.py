"""The gate: how much each source of evidence counts, learned from held-out choices."""

from __future__ import annotations

from dataclasses import dataclass

import lightgbm
import numpy as np
import scipy.optimize
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

Float = NDArray[np.float64]


class GateParameters(BaseModel):
    """How the gate is fitted; the same on every data set."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ridge: float = Field(0.01, ge=0, description="Squared penalty of the linear weights.")
    iterations: int = Field(60, ge=1, description="Steps of the linear gate's optimiser.")
    trees: int = Field(120, ge=0, description="Trees of the ranker beside it; 0 for none.")
    leaves: int = Field(15, ge=2, description="Leaves of each tree.")
    learning_rate: float = Field(0.05, gt=0, description="Shrinkage of each tree.")
    min_leaf: int = Field(200, ge=1, description="Candidates in a leaf at least.")


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
    """A linear listwise gate and, beside it, gradient-boosted trees.

    Attributes:
        names: feature names.
        centre, scale: (n_features,) standardisation of the linear gate.
        weights: (n_features,) of the standardised features.
        trees: the trees in LightGBM's text form, "" for none.
    """

    names: tuple[str, ...]
    centre: Float
    scale: Float
    weights: Float
    trees: str

    def contributions(self, lists: Lists, rows: NDArray[np.int64] | None = None) -> Float:
        """Split the scores of candidates exactly into additive shares of the features.

        Args:
            lists: the candidates of whole users, since scores are scaled within a user's list.
            rows: the candidates to explain; all by default.

        Returns:
            (len(rows), n_features + 1) float64; the last column is the constant of the list. The
            shares of a row sum to its score.
        """
        rows = np.arange(len(lists.features)) if rows is None else rows
        linear = (lists.features[rows] - self.centre) / self.scale * self.weights
        shares = np.column_stack([linear, np.zeros(len(rows))])
        if not self.trees:
            return shares
        user = np.searchsorted(lists.indptr, rows, side="right") - 1
        booster = lightgbm.Booster(model_str=self.trees)
        shap = np.asarray(booster.predict(lists.features[rows], pred_contrib=True))
        tree_mean, tree_spread = _moments(np.asarray(booster.predict(lists.features)), lists.indptr)
        linear_mean, linear_spread = _moments(self._linear(lists), lists.indptr)
        ratio = (linear_spread / np.where(tree_spread > 0, tree_spread, np.inf))[user]
        shares += shap * ratio[:, None]
        shares[:, -1] += linear_mean[user] - tree_mean[user] * ratio
        return shares / 2

    def score(self, lists: Lists) -> Float:
        """Return (n,) scores: the mean of the linear gate and the trees scaled to its spread."""
        linear = self._linear(lists)
        if not self.trees:
            return linear
        trees = np.asarray(lightgbm.Booster(model_str=self.trees).predict(lists.features))
        user = np.repeat(np.arange(len(lists.indptr) - 1), np.diff(lists.indptr))
        tree_mean, tree_spread = _moments(trees, lists.indptr)
        linear_mean, linear_spread = _moments(linear, lists.indptr)
        ratio = linear_spread / np.where(tree_spread > 0, tree_spread, np.inf)
        return (linear + linear_mean[user] + (trees - tree_mean[user]) * ratio[user]) / 2

    def _linear(self, lists: Lists) -> Float:
        effective = self.weights / self.scale
        return lists.features @ effective - float(self.centre @ effective)


def fit_gate(
    lists: Lists, relevant: NDArray[np.bool_], parameters: GateParameters, seed: int
) -> Gate:
    """Fit both parts of the gate on candidates of which some were really chosen.

    Args:
        lists: candidates of users.
        relevant: (n,) whether a candidate was chosen; users without any are left out.
        parameters: strength and size of the fit.
        seed: seed of the trees' sampling.
    """
    chosen = np.add.reduceat(np.append(relevant, False), lists.indptr[:-1]) * (
        np.diff(lists.indptr) > 0
    )
    informative = np.repeat(chosen > 0, np.diff(lists.indptr))
    lengths = np.diff(lists.indptr)[chosen > 0]
    features, labels = lists.features[informative], relevant[informative]
    centre = features.mean(axis=0, dtype=np.float64)
    spread = features.std(axis=0, dtype=np.float64)
    scale = np.where(spread > 1e-9, spread, 1.0)
    weights = _fit_listwise(
        ((features - centre) / scale).astype(np.float32), labels, lengths, parameters
    )
    trees = _fit_trees(features, labels, lengths, parameters, seed) if parameters.trees else ""
    return Gate(lists.names, centre, scale, weights, trees)


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


def _fit_trees(
    features: NDArray[np.float32],
    relevant: NDArray[np.bool_],
    lengths: NDArray[np.int64],
    parameters: GateParameters,
    seed: int,
) -> str:
    """Fit LambdaMART (Burges 2010) and return the trees as text."""
    settings = {
        "objective": "lambdarank",
        "num_leaves": parameters.leaves,
        "learning_rate": parameters.learning_rate,
        "min_data_in_leaf": parameters.min_leaf,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "feature_fraction": 0.7,
        "lambdarank_truncation_level": 40,
        "lambda_l2": 10.0,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 2,
        "verbosity": -1,
    }
    dataset = lightgbm.Dataset(features, label=relevant.astype(np.int8), group=lengths)
    return lightgbm.train(settings, dataset, num_boost_round=parameters.trees).model_to_string()


def _moments(values: Float, indptr: NDArray[np.int64]) -> tuple[Float, Float]:
    """Return each user's mean and standard deviation; zeros for a user without candidates."""
    lengths = np.maximum(np.diff(indptr), 1)
    user = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    n_users = len(indptr) - 1
    mean = np.bincount(user, weights=values, minlength=n_users) / lengths
    variance = np.bincount(user, weights=(values - mean[user]) ** 2, minlength=n_users) / lengths
    return mean, np.sqrt(variance)
