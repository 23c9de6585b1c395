"""Features of the candidates, the input of the gate."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from longtail.behaviour.histories import Histories
from longtail.hybrid.candidates import Candidates
from longtail.hybrid.gate import Gate, Lists
from longtail.hybrid.parameters import ITEM_FEATURES, HybridParameters

# Centre of the products with log counts: about the log count of an item with six interactions.
MIDDLE_LOG_COUNT = 2.0
RANK_OFFSET = 5.0


def item_features(histories: Histories) -> NDArray[np.float32]:
    """Return (n_items, 4): log(1 + count), the same capped at counts of 1 and 5, and is_new."""
    popularity = np.log1p(histories.item_counts())
    columns = [
        popularity,
        np.minimum(popularity, np.log(2)),
        np.minimum(popularity, np.log(6)),
        (popularity == 0).astype(float),
    ]
    return np.stack(columns, axis=1).astype(np.float32)


def item_trends(histories: Histories, shares: tuple[float, ...]) -> NDArray[np.float32]:
    """Return (n_items, n_shares) log counts in each share of the latest interactions."""
    recent = [np.log1p(histories.recent_counts(share)) for share in shares]
    return np.array(recent, dtype=np.float32).reshape(len(shares), histories.n_items).T


def candidate_lists(
    candidates: Candidates, histories: Histories, parameters: HybridParameters
) -> Lists:
    """Return the features of the candidates.

    Each source has three: its evidence, the evidence times the centred log count of the item, and
    the reciprocal rank of the evidence among the user's candidates. Then follow the features of the
    item, the product of its log count and the log history length, and its trends.
    """
    items = item_features(histories)[candidates.items]
    trends = item_trends(histories, parameters.trend_shares)[candidates.items]
    half_log_count = (items[:, :1] - MIDDLE_LOG_COUNT) / 2
    length = np.log1p(histories.history_lengths())[candidates.users][candidates.rows]
    # In float32: one float64 column would turn the whole feature matrix into float64.
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
    """Return (n, n_sources) ``1 / (1 + rank / 5)``, where rank 0 is the user's best candidate.

    0 where a source has the same evidence on all candidates of a user: it knows nothing of them,
    and an order of ties would be an order of the catalogue.

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
        ranked[~_tells_apart(padded, lengths)] = 0
        result[:, column] = ranked[filled]
    return result


def _tells_apart(padded: NDArray[np.float32], lengths: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return (n_users,) whether the evidence differs among a user's candidates.

    Args:
        padded: (n_users, longest) evidence, after the candidates of a user -inf.
        lengths: (n_users,) number of candidates.
    """
    if not padded.shape[1]:
        return np.zeros(len(padded), dtype=bool)
    there = np.arange(padded.shape[1]) < lengths[:, None]
    lowest = np.where(there, padded, np.inf).min(axis=1)
    differs: NDArray[np.bool_] = padded.max(axis=1) > lowest
    return differs


def first_trend(lists: Lists) -> int:
    """Return the column of the first trend; the trends are the last features."""
    return lists.names.index(ITEM_FEATURES[-1]) + 1


def source_contributions(gate: Gate, lists: Lists, rows: NDArray[np.int64]) -> pd.DataFrame:
    """Return what each source and each item feature adds to a score, one column each.

    The three features of a source are summed into one column, and so are the trends.
    """
    contributions = gate.contributions(lists, rows)
    last = first_trend(lists)
    first = last - len(ITEM_FEATURES)
    n_sources = first // 3
    of_sources = contributions[:, :first].reshape(-1, 3, n_sources).sum(axis=1)
    trend = contributions[:, last:].sum(axis=1, keepdims=True)
    names = [*lists.names[:n_sources], *ITEM_FEATURES, "trend"]
    columns = np.hstack([of_sources, contributions[:, first:last], trend])
    return pd.DataFrame(columns, columns=names)
