"""Fitting the hybrid: the gate and the tail emphasis, both on validation users."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from longtail.hybrid.candidates import find_candidates, propose
from longtail.hybrid.features import candidate_lists
from longtail.hybrid.gate import Gate, GateParameters, Lists, fit_gate
from longtail.hybrid.model import Hybrid
from longtail.hybrid.parameters import HybridParameters
from longtail.hybrid.tail_emphasis import (
    choose_tail_emphasis,
    contains,
    evaluate_lists,
    is_dominated,
)
from longtail.recommenders.base import TrainingData
from longtail.recommenders.fitted_model import FittedModel
from longtail.recommenders.validation import ValidationTargets

logger = logging.getLogger(__name__)

Recall = NDArray[np.float64]


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
    fitted on the other half of the users. Where a source alone is as good on NDCG and tail recall
    as the gate at every tail emphasis, and better on one of them, the gate takes this source alone.
    Where no user chose a candidate, it takes the first source.

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
    counts = data.histories.item_counts()
    evaluate = partial(evaluate_lists, candidates, targets=targets, counts=counts, k=k)
    alone = {
        source: evaluate(candidates.evidence[:, column].astype(np.float64)).summary
        for column, source in enumerate(candidates.sources)
    }
    baseline_head = _head_recall(baseline, data, targets, counts, k)

    def front_of(
        scores: NDArray[np.float64], grid: Sequence[float] = parameters.tail_emphasis_grid
    ) -> tuple[list[dict[str, float]], list[Recall]]:
        front, tail_recall = [], []
        for emphasis in grid:
            quality = evaluate(scores - emphasis * np.log1p(counts)[candidates.items])
            tail_recall.append(quality.tail_recall)
            against_baseline = _head_difference(quality.head_recall, baseline_head)
            front.append({"tail_emphasis": emphasis, **quality.summary, **against_baseline})
        return front, tail_recall

    if not relevant.any():
        logger.warning(
            "None of the %s validation users chose what any source proposes, so that the sources"
            " cannot be weighed: the hybrid takes %s alone.",
            len(targets.users),
            candidates.sources[0],
        )
        gate = Gate.of_one(lists.names, candidates.sources[0])
        return Hybrid(gate, parameters.tail_emphasis or 0.0, front_of(gate.score(lists))[0], alone)
    gate = fit_gate(lists, relevant, parameters.gate)
    scores = cross_fitted_scores(lists, relevant, parameters.gate, data.seed)
    front, tail_recall = front_of(scores)
    if (given := parameters.tail_emphasis) is not None:
        if is_dominated(front_of(scores, [given])[0][0], alone):
            logger.warning(
                "On validation a source alone is better than the hybrid at hybrid.tail_emphasis"
                " %g, on NDCG or tail recall and worse on neither. Set it to null, so that"
                " validation chooses.",
                given,
            )
        return Hybrid(gate, given, front, alone)
    if all(is_dominated(point, alone) for point in front):
        best = max(alone, key=lambda source: (alone[source]["ndcg"], alone[source]["recall_tail"]))
        logger.info("On validation %s alone is better than the gate, which takes it alone.", best)
        gate = Gate.of_one(lists.names, best)
        front, tail_recall = front_of(gate.score(lists))
    chosen = choose_tail_emphasis(front, np.array(tail_recall), parameters, alone)
    return Hybrid(gate, chosen, front, alone)


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


def cross_fitted_scores(
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
