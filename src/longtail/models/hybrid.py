"""The hybrid: evidence of several sources joined by a gate, with one knob for the tail."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, field_validator
from tqdm.auto import tqdm

from longtail.behaviour.groups import popularity_groups
from longtail.behaviour.histories import Histories
from longtail.models import MODELS
from longtail.models.base import TrainingData
from longtail.models.candidates import Candidates, FittedModel, find_candidates
from longtail.models.cold_shelf import rows_with_shelf
from longtail.models.gate import Gate, GateParameters, Lists, fit_gate
from longtail.models.tuning import ValidationTargets

ITEM_FEATURES = ("popularity", "has_one", "has_five", "is_new", "popularity_by_history")

# A mid-sized item has some ten users: there the cross with popularity is zero.
MIDDLE_LOG_COUNT = 2.0
RANK_OFFSET = 5.0


class HybridParameters(BaseModel):
    """Sources, candidates, gate and tail knob of the hybrid."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sources: tuple[str, ...] = Field(description="Models whose scores are evidence.")
    candidates_per_source: int = Field(60, ge=1, description="Items proposed by each source.")
    trend_shares: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = Field(
        (0.3, 0.1, 0.03, 0.01),
        description="Last shares of the interactions; an item's count in each is its trend.",
    )
    gate: GateParameters = GateParameters()
    tail_emphasis: float | None = Field(
        None, ge=0, description="Score lost per log(1 + count); null lets validation choose."
    )
    tail_emphasis_grid: tuple[float, ...] = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0)
    cold_shelf: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Share of the places kept for items without interactions, evenly spread from"
        " the top; 0: their scores decide.",
    )
    explained: int = Field(10, ge=0, description="Items of each list that get a reason.")
    quality_kept: float = Field(
        0.97, gt=0, le=1, description="Share of the best validation NDCG that the knob must keep."
    )

    @field_validator("sources")
    @classmethod
    def _are_models(cls, sources: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := sorted(set(sources) - set(MODELS)):
            raise ValueError(
                f"hybrid.sources names {', '.join(unknown)}; there are {', '.join(MODELS)}."
            )
        if known := sorted(set(sources) & set(ITEM_FEATURES)):
            raise ValueError(
                f"hybrid.sources names {', '.join(known)}, which the gate weighs in any case:"
                " take it out."
            )
        return sources


@dataclass(frozen=True)
class Hybrid:
    """A fitted hybrid.

    Attributes:
        gate: weights of the evidence.
        tail_emphasis: score that an item loses per log(1 + count).
        front: what every setting of the knob reached on cross-fitted validation lists.
    """

    gate: Gate
    tail_emphasis: float
    front: list[dict[str, float]]

    def to_json(self) -> dict[str, Any]:
        """Return the hybrid as plain JSON."""
        names = self.gate.names
        return {
            "tail_emphasis": self.tail_emphasis,
            "importance": dict(zip(names, self.gate.importance.tolist(), strict=True)),
            "weights": dict(zip(names, self.gate.weights.tolist(), strict=True)),
            "front": self.front,
        }

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Hybrid:
        """Read what ``to_json`` wrote."""
        gate = Gate(
            names=tuple(content["weights"]),
            weights=np.array(list(content["weights"].values())),
            importance=np.array(list(content["importance"].values())),
        )
        return cls(gate, content["tail_emphasis"], content["front"])


def item_features(histories: Histories) -> NDArray[np.float32]:
    """Return (n_items, 4) features: log count, count above 0 and 5, and newness."""
    popularity = np.log1p(histories.item_counts())
    columns = [
        popularity,
        np.minimum(popularity, np.log(2)),
        np.minimum(popularity, np.log(6)),
        (popularity == 0).astype(float),
    ]
    return np.stack(columns, axis=1).astype(np.float32)


def item_trends(histories: Histories, shares: tuple[float, ...]) -> NDArray[np.float32]:
    """Return (n_items, n_shares) log counts in the last shares of the interactions."""
    recent = [np.log1p(histories.recent_counts(share)) for share in shares]
    return np.array(recent, dtype=np.float32).reshape(len(shares), histories.n_items).T


def candidate_lists(
    candidates: Candidates, histories: Histories, parameters: HybridParameters
) -> Lists:
    """Return the features of the candidates.

    For every source its evidence, the same crossed with the item's log count, and the reciprocal
    of its rank among the user's candidates; then the features of the item and of the user, and the
    item's trends.
    """
    items = item_features(histories)[candidates.items]
    trends = item_trends(histories, parameters.trend_shares)[candidates.items]
    half_log_count = (items[:, :1] - MIDDLE_LOG_COUNT) / 2
    length = np.log1p(histories.history_lengths())[candidates.users][candidates.rows]
    # All in float32: one wider column would make all of them wider.
    by_history = (items[:, 0] * (length - MIDDLE_LOG_COUNT) / 2).astype(np.float32)
    evidence = candidates.evidence
    columns = (evidence, evidence * half_log_count, reciprocal_ranks(candidates), items)
    names = (
        *candidates.sources,
        *(f"{source}_by_popularity" for source in candidates.sources),
        *(f"{source}_rank" for source in candidates.sources),
        *ITEM_FEATURES,
        *(f"trend_{share}" for share in parameters.trend_shares),
    )
    return Lists(candidates.indptr, np.column_stack([*columns, by_history, trends]), names)


def reciprocal_ranks(candidates: Candidates) -> NDArray[np.float32]:
    """Return (n, n_sources) ``1 / (1 + rank / 5)``, rank 0 being a user's best candidate.

    Cormack, Clarke, Buettcher: Reciprocal Rank Fusion, SIGIR 2009.
    """
    lengths = np.diff(candidates.indptr)
    filled = np.arange(lengths.max(initial=0)) < lengths[:, None]
    by_rank = (RANK_OFFSET / (RANK_OFFSET + np.arange(filled.shape[1]))).astype(np.float32)
    padded = np.full(filled.shape, -np.inf, dtype=np.float32)
    ranked, result = np.empty_like(padded), np.empty_like(candidates.evidence)
    for column, evidence in enumerate(candidates.evidence.T):
        padded[filled] = evidence
        order = torch.sort(torch.from_numpy(padded), dim=1, descending=True, stable=True).indices
        np.put_along_axis(ranked, order.numpy(), by_rank[None, :], axis=1)
        result[:, column] = ranked[filled]
    return result


def source_shares(hybrid_gate: Gate, lists: Lists, rows: NDArray[np.int64]) -> pd.DataFrame:
    """Return what each source and each property of the item adds to a score.

    The three features of a source are one share, and so are all trends.
    """
    shares = hybrid_gate.shares(lists, rows)
    last = lists.names.index(ITEM_FEATURES[-1]) + 1
    first = last - len(ITEM_FEATURES)
    n_sources = first // 3
    of_sources = shares[:, :first].reshape(-1, 3, n_sources).sum(axis=1)
    trend = shares[:, last:].sum(axis=1, keepdims=True)
    names = [*lists.names[:n_sources], *ITEM_FEATURES, "trend"]
    return pd.DataFrame(np.hstack([of_sources, shares[:, first:last], trend]), columns=names)


def propose(
    sources: Mapping[str, FittedModel],
    data: TrainingData,
    users: NDArray[np.int64],
    parameters: HybridParameters,
    label: str | None = None,
    candidates: NDArray[np.bool_] | None = None,
) -> Candidates:
    """Return the candidates of the sources, of popularity and of the trends."""
    counts = [data.histories.item_counts()]
    counts += [data.histories.recent_counts(share) for share in parameters.trend_shares]
    return find_candidates(
        sources,
        data,
        users,
        parameters.candidates_per_source,
        label,
        common=[ranking.astype(np.float32) for ranking in counts if ranking.any()],
        candidates=candidates,
    )


def fit_hybrid(
    sources: Mapping[str, FittedModel],
    data: TrainingData,
    targets: ValidationTargets,
    baseline: FittedModel,
    parameters: HybridParameters,
) -> Hybrid:
    """Learn the gate and choose the tail knob on validation users.

    The knob is judged on scores of users that the gate was not fitted on (two folds).

    Args:
        sources: models fitted on the training period, by name.
        data: the behaviour of the training period.
        targets: validation users and their held-out items.
        baseline: the model whose head recall must be kept.
        parameters: see there.
    """
    candidates = propose(sources, data, targets.users, parameters, "Candidates")
    lists = candidate_lists(candidates, data.histories, parameters)
    relevant = contains(targets.relevant, candidates.rows, candidates.items)
    gate = fit_gate(lists, relevant, parameters.gate)
    scores = _cross_fitted_scores(lists, relevant, parameters.gate, data.seed)
    counts = data.histories.item_counts()
    baseline_head = _head_recall_of(baseline, data, targets, counts)
    front, tail_recall = [], []
    for knob in parameters.tail_emphasis_grid:
        emphasised = scores - knob * np.log1p(counts)[candidates.items]
        judged = judge_lists(candidates, emphasised, targets, counts)
        lost = baseline_head - judged.head_recall
        tail_recall.append(judged.tail_recall)
        front.append(
            {
                "tail_emphasis": knob,
                **judged.summary,
                "head_difference": -float(lost.mean()) if len(lost) else 0.0,
                "head_standard_error": float(lost.std() / np.sqrt(len(lost))) if len(lost) else 0.0,
            }
        )
    chosen = parameters.tail_emphasis
    if chosen is None:
        chosen = choose_tail_emphasis(front, np.array(tail_recall), parameters)
    return Hybrid(gate, chosen, front)


def choose_tail_emphasis(
    front: list[dict[str, float]], tail_recall: NDArray[np.float64], parameters: HybridParameters
) -> float:
    """Apply the declared rule to the front of the knob.

    Among the settings that keep ``quality_kept`` of the best NDCG and whose head recall is above
    the baseline's by two standard errors of the paired difference: the lowest whose tail recall is
    within one standard error of the highest, for more would cost head and bring nothing that can be
    told from chance (Breiman et al.: Classification and Regression Trees, 1984). Where none keeps
    the head, the one with the highest head recall.

    Args:
        front: what each setting reaches, from the lowest emphasis on.
        tail_recall: (settings, n) tail recall of the validation users with a tail item.
        parameters: gives ``quality_kept``.
    """
    best = max(point["ndcg"] for point in front)
    good = [n for n, p in enumerate(front) if p["ndcg"] >= parameters.quality_kept * best]
    safe = [n for n in good if front[n]["head_difference"] >= 2 * front[n]["head_standard_error"]]
    if not safe:
        return front[max(good, key=lambda n: front[n]["recall_head"])]["tail_emphasis"]
    highest = max(safe, key=lambda n: front[n]["recall_tail"])
    missing = tail_recall[highest] - tail_recall[safe]
    error = missing.std(axis=1) / np.sqrt(max(1, missing.shape[1]))
    enough = missing.mean(axis=1) <= error if missing.shape[1] else np.ones(len(safe), dtype=bool)
    return front[safe[int(np.argmax(enough))]]["tail_emphasis"]


def recommend_hybrid(
    hybrid: Hybrid,
    sources: Mapping[str, FittedModel],
    data: TrainingData,
    users: NDArray[np.int64],
    k: int,
    parameters: HybridParameters,
    candidates: NDArray[np.bool_] | None = None,
) -> pd.DataFrame:
    """Return the top-k lists with the share of every source in the score.

    Columns: user_id, item_id, rank (from 1), score and, for each feature of the gate, for the tail
    knob and for the constant, ``contribution_<name>``; these sum to the score. With a shelf for
    cold items (see ``rows_with_shelf``) its lift is a share too. Where ``candidates`` (n_items,) is
    given, no other items are listed.
    """
    parts: defaultdict[str, list[NDArray[Any]]] = defaultdict(list)
    size = 2000
    starts = range(0, len(users), size)
    for start in tqdm(starts, desc="Recommending", disable=len(starts) < 2, leave=False):
        proposed = propose(
            sources, data, users[start : start + size], parameters, candidates=candidates
        )
        for name, column in _ranked(hybrid, proposed, data.histories, k, parameters).items():
            parts[name].append(column)
    # One column after the other, so that the lists are in memory only once.
    table = {name: np.concatenate(parts.pop(name)) for name in list(parts)}
    table["user_id"] = data.histories.user_ids[table["user_id"]]
    table["item_id"] = data.histories.item_ids[table["item_id"]]
    return pd.DataFrame(table, copy=False)


def _ranked(
    hybrid: Hybrid,
    proposed: Candidates,
    histories: Histories,
    k: int,
    parameters: HybridParameters,
) -> dict[str, NDArray[Any]]:
    """Return the columns of the lists that are made of some candidates, with indices as ids."""
    counts = np.log1p(histories.item_counts())[proposed.items]
    lists = candidate_lists(proposed, histories, parameters)
    knob = -hybrid.tail_emphasis * counts
    scores = hybrid.gate.score(lists) + knob
    best, rank = best_rows(proposed, scores, k)
    ranked_by, shelf = scores[best], {}
    if parameters.cold_shelf > 0:
        share = parameters.cold_shelf
        best, rank, ranked_by = rows_with_shelf(proposed, scores, counts == 0, share, k)
        shelf = {"contribution_cold_shelf": ranked_by - scores[best]}
    shares = source_shares(hybrid.gate, lists, best).add_prefix("contribution_")
    return {
        "user_id": proposed.users[proposed.rows[best]].astype(np.int32),
        "item_id": proposed.items[best].astype(np.int32),
        "rank": rank,
        "score": ranked_by,
        **{str(name): share.to_numpy(copy=True) for name, share in shares.items()},
        "contribution_tail_emphasis": knob[best],
        **shelf,
    }


def best_rows(
    candidates: Candidates, scores: NDArray[np.float64], k: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows of each user's k best candidates, best first, and their ranks from 1."""
    order = np.lexsort((candidates.items, -scores, candidates.rows))
    rank = np.arange(len(order)) - candidates.indptr[candidates.rows[order]] + 1
    listed = rank <= k
    return order[listed], rank[listed]


def _cross_fitted_scores(
    lists: Lists, relevant: NDArray[np.bool_], parameters: GateParameters, seed: int
) -> NDArray[np.float64]:
    """Score every user with a gate fitted on the other half of the users."""
    n_users = len(lists.indptr) - 1
    first_half = np.random.default_rng(seed).permutation(n_users) < n_users / 2
    scores = np.empty(len(lists.features))
    for fold in (first_half, ~first_half):
        fitted, fitted_rows = _select(lists, ~fold)
        judged, judged_rows = _select(lists, fold)
        if not relevant[fitted_rows].any():
            fitted, fitted_rows = lists, np.ones(len(relevant), dtype=bool)
        scores[judged_rows] = fit_gate(fitted, relevant[fitted_rows], parameters).score(judged)
    return scores


def _select(lists: Lists, users: NDArray[np.bool_]) -> tuple[Lists, NDArray[np.bool_]]:
    """Return the lists of some users and the mask of their rows."""
    lengths = np.diff(lists.indptr)
    rows = np.repeat(users, lengths)
    indptr = np.concatenate([[0], np.cumsum(lengths[users])])
    return Lists(indptr, lists.features[rows], lists.names), rows


@dataclass(frozen=True)
class JudgedLists:
    """Quality of lists on validation: means, and the recall of each user with such an item."""

    summary: dict[str, float]
    head_recall: NDArray[np.float64]
    tail_recall: NDArray[np.float64]


def judge_lists(
    candidates: Candidates,
    scores: NDArray[np.float64],
    targets: ValidationTargets,
    counts: NDArray[np.int64],
    k: int = 20,
) -> JudgedLists:
    """Return NDCG@k, recall@k by item group and coverage of the lists that the scores make."""
    best, rank = best_rows(candidates, scores, k)
    row, item = candidates.rows[best], candidates.items[best]
    hit = contains(targets.relevant, row, item)
    n_users = len(targets.users)
    discounts = 1 / np.log2(np.arange(2, k + 2))
    ideal = np.cumsum(discounts)[np.minimum(np.diff(targets.relevant.indptr), k) - 1]
    gained = np.bincount(row[hit], weights=discounts[rank[hit] - 1], minlength=n_users)
    summary = {"ndcg": float((gained / ideal).mean())}
    recalls = {}
    for group, members in popularity_groups(counts).items():
        support = targets.relevant[:, np.flatnonzero(members)].count_nonzero(axis=1)
        hits = np.bincount(row[hit & members[item]], minlength=n_users)
        recalls[group] = hits[support > 0] / support[support > 0]
        summary[f"recall_{group}"] = float(recalls[group].mean()) if len(recalls[group]) else 0.0
    summary["coverage"] = len(np.unique(item)) / len(counts)
    return JudgedLists(summary, recalls["head"], recalls["tail"])


def _head_recall_of(
    model: FittedModel, data: TrainingData, targets: ValidationTargets, counts: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the head recall@20 of a model for each validation user with a head item."""
    lists = find_candidates({"baseline": model}, data, targets.users, per_source=20)
    scores = lists.evidence[:, 0].astype(np.float64)
    return judge_lists(lists, scores, targets, counts).head_recall


def contains(
    matrix: sp.csr_array, rows: NDArray[np.int64], columns: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Return for each coordinate whether the sparse matrix has an entry there."""
    entry_rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    entries = entry_rows.astype(np.int64) * matrix.shape[1] + matrix.indices
    return np.isin(rows * matrix.shape[1] + columns, entries)
