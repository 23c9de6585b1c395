"""Fitting the hybrid: the gate and the tail emphasis, both on validation users."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from longtail.hybrid.candidates import find_candidates, propose
from longtail.hybrid.features import candidate_lists
from longtail.hybrid.gate import GateParameters, Lists, fit_gate
from longtail.hybrid.model import Hybrid
from longtail.hybrid.parameters import HybridParameters
from longtail.hybrid.tail_emphasis import choose_tail_emphasis, contains, evaluate_lists
from longtail.recommenders.base import TrainingData
from longtail.recommenders.fitted_model import FittedModel
from longtail.recommenders.validation import ValidationTargets


def fit_hybrid(
    sources: Mapping[str, FittedModel],
    data: TrainingData,
    targets: ValidationTargets,
    baseline: FittedModel,
    parameters: HybridParameters,
    k: int,
) -> Hybrid:
    """Fit the gate and choose the tail emphasis on validation users.

    The tail emphasis is chosen on cross-fitted scores: each user is scored by a gate that was
    fitted on the other half of the users.

    Args:
        sources: models fitted on the training period, by name.
        data: the behaviour of the training period.
        targets: validation users and their held-out items.
        baseline: the model whose head recall must be kept.
        parameters: candidates, gate and the grid of the tail emphasis.
        k: length of the lists that are evaluated.
    """
    candidates = propose(sources, data, targets.users, parameters, "Candidates")
    lists = candidate_lists(candidates, data.histories, parameters)
    relevant = contains(targets.relevant, candidates.rows, candidates.items)
    gate = fit_gate(lists, relevant, parameters.gate)
    scores = _cross_fitted_scores(lists, relevant, parameters.gate, data.seed)
    counts = data.histories.item_counts()
    baseline_head = _head_recall(baseline, data, targets, counts, k)
    front, tail_recall = [], []
    for emphasis in parameters.tail_emphasis_grid:
        emphasised = scores - emphasis * np.log1p(counts)[candidates.items]
        quality = evaluate_lists(candidates, emphasised, targets, counts, k)
        tail_recall.append(quality.tail_recall)
        against_baseline = _head_difference(quality.head_recall, baseline_head)
        front.append({"tail_emphasis": emphasis, **quality.summary, **against_baseline})
    chosen = parameters.tail_emphasis
    if chosen is None:
        chosen = choose_tail_emphasis(front, np.array(tail_recall), parameters)
    return Hybrid(gate, chosen, front)


def _head_difference(
    head_recall: NDArray[np.float64], baseline: NDArray[np.float64]
) -> dict[str, float]:
    """Return the mean paired difference of the head recall and its standard error; 0 if empty."""
    lost = baseline - head_recall
    if not len(lost):
        return {"head_difference": 0.0, "head_standard_error": 0.0}
    return {
        "head_difference": -float(lost.mean()),
        "head_standard_error": float(lost.std() / np.sqrt(len(lost))),
    }


def _cross_fitted_scores(
    lists: Lists, relevant: NDArray[np.bool_], parameters: GateParameters, seed: int
) -> NDArray[np.float64]:
    """Score every user with a gate fitted on the other half of the users."""
    n_users = len(lists.indptr) - 1
    first_half = np.random.default_rng(seed).permutation(n_users) < n_users / 2
    scores = np.empty(len(lists.features))
    for fold in (first_half, ~first_half):
        fitted, fitted_rows = _select(lists, ~fold)
        held_out, held_out_rows = _select(lists, fold)
        if not relevant[fitted_rows].any():
            fitted, fitted_rows = lists, np.ones(len(relevant), dtype=bool)
        gate = fit_gate(fitted, relevant[fitted_rows], parameters)
        scores[held_out_rows] = gate.score(held_out)
    return scores


def _select(lists: Lists, users: NDArray[np.bool_]) -> tuple[Lists, NDArray[np.bool_]]:
    """Return the lists of the selected users and the mask of their rows."""
    lengths = np.diff(lists.indptr)
    rows = np.repeat(users, lengths)
    indptr = np.concatenate([[0], np.cumsum(lengths[users])])
    return Lists(indptr, lists.features[rows], lists.names), rows


def _head_recall(
    model: FittedModel,
    data: TrainingData,
    targets: ValidationTargets,
    counts: NDArray[np.int64],
    k: int,
) -> NDArray[np.float64]:
    """Return the head recall@k of a model for each validation user with a head item."""
    lists = find_candidates({"baseline": model}, data, targets.users, per_source=k)
    scores = lists.evidence[:, 0].astype(np.float64)
    return evaluate_lists(lists, scores, targets, counts, k).head_recall
