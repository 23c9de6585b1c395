"""Ranked lists of the hybrid, with the contribution of each source to each score."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm.auto import tqdm

from longtail.behaviour.histories import Histories
from longtail.hybrid.candidates import Candidates, best_rows, propose
from longtail.hybrid.cold_shelf import rows_with_shelf
from longtail.hybrid.features import candidate_lists, source_contributions
from longtail.hybrid.model import Hybrid
from longtail.hybrid.parameters import HybridParameters
from longtail.recommenders.base import TrainingData
from longtail.recommenders.fitted_model import FittedModel


def recommend_hybrid(
    hybrid: Hybrid,
    sources: Mapping[str, FittedModel],
    data: TrainingData,
    users: NDArray[np.int64],
    k: int,
    parameters: HybridParameters,
    candidates: NDArray[np.bool_] | None = None,
) -> pd.DataFrame:
    """Return the top-k lists with the contributions to each score.

    Columns: user_id, item_id, rank (from 1), score and ``contribution_<name>`` for each source, for
    each item feature, for the trend and for the tail emphasis; with a cold shelf (see
    ``rows_with_shelf``) also for what it adds. The contributions sum to the score. Where
    ``candidates`` (n_items,) is given, no other items are listed.
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
    # One column at a time, so that the lists are in memory only once.
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
    """Return the columns of the lists of some users, with indices in place of ids."""
    counts = np.log1p(histories.item_counts())[proposed.items]
    lists = candidate_lists(proposed, histories, parameters)
    emphasis = -hybrid.tail_emphasis * counts
    scores = hybrid.gate.score(lists) + emphasis
    best, rank = best_rows(proposed, scores, k)
    ranked_by, shelf = scores[best], {}
    if parameters.cold_shelf > 0:
        share = parameters.cold_shelf
        best, rank, ranked_by = rows_with_shelf(proposed, scores, counts == 0, share, k)
        shelf = {"contribution_cold_shelf": ranked_by - scores[best]}
    contributions = source_contributions(hybrid.gate, lists, best).add_prefix("contribution_")
    return {
        "user_id": proposed.users[proposed.rows[best]].astype(np.int32),
        "item_id": proposed.items[best].astype(np.int32),
        "rank": rank,
        "score": ranked_by,
        **{str(name): part.to_numpy(copy=True) for name, part in contributions.items()},
        "contribution_tail_emphasis": emphasis[best],
        **shelf,
    }
