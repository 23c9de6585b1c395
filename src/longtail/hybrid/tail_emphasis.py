"""The tail emphasis: quality of lists on validation, and the rule that chooses a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from longtail.behaviour.groups import popularity_groups
from longtail.hybrid.candidates import Candidates, best_rows
from longtail.hybrid.parameters import HybridParameters
from longtail.recommenders.validation import ValidationTargets, discounts, normalised


def is_dominated(point: Mapping[str, float], alone: Mapping[str, Mapping[str, float]]) -> bool:
    """Whether a source alone is as good on NDCG and tail recall, and better on one of them.

    Args:
        point: a point of the front.
        alone: quality of each source alone, by its name.
    """
    here = (point["ndcg"], point["recall_tail"])
    there = [(source["ndcg"], source["recall_tail"]) for source in alone.values()]
    return any(n >= here[0] and t >= here[1] and (n, t) != here for n, t in there)


def choose_tail_emphasis(
    front: list[dict[str, float]],
    tail_recall: NDArray[np.float64],
    parameters: HybridParameters,
    alone: Mapping[str, Mapping[str, float]],
) -> float:
    """Choose a value of the grid by a fixed rule.

    Values that a source alone dominates are left out, unless all are. Of the rest, eligible are
    those that keep ``quality_kept`` of the best NDCG and whose head recall exceeds that of the
    baseline by two standard errors of the paired difference. Among these, the rule takes the lowest
    whose tail recall is within one standard error of the highest (the one standard error rule of
    Breiman et al.: Classification and Regression Trees, 1984): more would cost head recall for a
    gain that may be chance. If no value is eligible, it takes the one with the highest head recall
    among those that keep the NDCG.

    Args:
        front: quality at each value, ascending.
        tail_recall: (n_values, n) tail recall of the validation users with a tail item.
        parameters: gives ``quality_kept``.
        alone: quality of each source alone, by its name.
    """
    places = range(len(front))
    open_to_choice = [n for n in places if not is_dominated(front[n], alone)] or list(places)
    best = max(front[n]["ndcg"] for n in open_to_choice)
    good = [n for n in open_to_choice if front[n]["ndcg"] >= parameters.quality_kept * best]
    safe = [n for n in good if front[n]["head_difference"] >= 2 * front[n]["head_standard_error"]]
    if not safe:
        return front[max(good, key=lambda n: front[n]["recall_head"])]["tail_emphasis"]
    highest = max(safe, key=lambda n: front[n]["recall_tail"])
    missing = tail_recall[highest] - tail_recall[safe]
    if not missing.shape[1]:
        return front[safe[0]]["tail_emphasis"]
    error = missing.std(axis=1) / np.sqrt(missing.shape[1])
    enough = missing.mean(axis=1) <= error
    return front[safe[int(np.argmax(enough))]]["tail_emphasis"]


@dataclass(frozen=True)
class ListQuality:
    """Quality of lists on validation users.

    Attributes:
        summary: NDCG, recall of each item group (means over users) and catalogue coverage.
        head_recall: (n,) of the users with a relevant head item.
        tail_recall: (n,) of the users with a relevant tail item.
    """

    summary: dict[str, float]
    head_recall: NDArray[np.float64]
    tail_recall: NDArray[np.float64]


def evaluate_lists(
    candidates: Candidates,
    scores: NDArray[np.float64],
    targets: ValidationTargets,
    counts: NDArray[np.int64],
    k: int,
) -> ListQuality:
    """Return NDCG@k, recall@k by item group and coverage of the top-k lists by score."""
    best, rank = best_rows(candidates, scores, k)
    row, item = candidates.rows[best], candidates.items[best]
    hit = contains(targets.relevant, row, item)
    n_users = len(targets.users)
    gains = np.bincount(row[hit], discounts(k)[rank[hit] - 1], n_users).astype(np.float64)
    summary = {"ndcg": float(normalised(gains, targets.relevant, k).mean())}
    recalls = {}
    for group, members in popularity_groups(counts).items():
        support = targets.relevant[:, np.flatnonzero(members)].count_nonzero(axis=1)
        hits = np.bincount(row[hit & members[item]], minlength=n_users)
        recalls[group] = hits[support > 0] / support[support > 0]
        summary[f"recall_{group}"] = float(recalls[group].mean()) if len(recalls[group]) else 0.0
    summary["coverage"] = len(np.unique(item)) / len(counts)
    return ListQuality(summary, recalls["head"], recalls["tail"])


def contains(
    matrix: sp.csr_array, rows: NDArray[np.int64], columns: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Return (n,) whether the sparse matrix has an entry at each coordinate."""
    entry_rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    entries = entry_rows.astype(np.int64) * matrix.shape[1] + matrix.indices
    return np.isin(rows * matrix.shape[1] + columns, entries)
