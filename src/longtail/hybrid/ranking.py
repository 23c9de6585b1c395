"""Ranked lists of the hybrid, with the contribution of each source to each score."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from longtail.behaviour.histories import Histories
from longtail.hybrid.candidates import Candidates, best_rows, propose
from longtail.hybrid.cold_shelf import rows_with_shelf
from longtail.hybrid.features import candidate_lists, first_trend, source_contributions
from longtail.hybrid.gate import Lists
from longtail.hybrid.model import Hybrid
from longtail.hybrid.parameters import ITEM_FEATURES, HybridParameters
from longtail.progress import progress
from longtail.recommenders.base import TrainingData
from longtail.recommenders.fitted_model import FittedModel

# A contribution that is no further above the mean does not distinguish an item.
NEGLIGIBLE = 1e-6
# What distinguishes an item beside the sources, in words.
COMMON_EVIDENCE = {
    "popularity": "how many chose it",
    "rarity": "that few know it yet",
    "trend": "how many chose it lately",
}


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

    Columns: user_id, item_id, rank (from 1), score, main_source and ``contribution_<name>`` for
    each source, for each item feature, for the trend and for the tail emphasis; with a cold shelf
    (see ``rows_with_shelf``) also for what it adds. The contributions sum to the score. The main
    source is the source, or one of ``COMMON_EVIDENCE``, whose contribution is furthest above its
    mean over the user's candidates; it is missing where none is above. A user without a history
    gets the items that are popular over all times and lately: their log counts in the whole log and
    in each trend are summed. Where ``candidates`` (n_items,) is given, no other items are listed.
    """
    parts: defaultdict[str, list[NDArray[Any]]] = defaultdict(list)
    size = 2000
    starts = range(0, len(users), size)
    for start in progress(starts, desc="Recommending", disable=len(starts) < 2 or None):
        proposed = propose(
            sources,
            data,
            users[start : start + size],
            parameters,
            candidates=candidates,
            at_least=k,
        )
        for name, column in _ranked(hybrid, proposed, data.histories, k, parameters).items():
            parts[name].append(column)
    # One column at a time, so that the lists are in memory only once.
    table = {name: np.concatenate(parts.pop(name)) for name in list(parts)}
    table["user_id"] = data.histories.user_ids[table["user_id"]]
    table["item_id"] = data.histories.item_ids[table["item_id"]]
    names = pd.CategoricalDtype([*sources, *COMMON_EVIDENCE])
    codes = table["main_source"].astype(np.int8)
    main_source = pd.Categorical.from_codes(codes, dtype=names)
    return pd.DataFrame({**table, "main_source": main_source}, copy=False)


def _ranked(
    hybrid: Hybrid,
    proposed: Candidates,
    histories: Histories,
    k: int,
    parameters: HybridParameters,
) -> dict[str, NDArray[Any]]:
    """Return the columns of the lists of some users, with indices in place of ids."""
    counts = np.log1p(histories.item_counts())[proposed.items]
    cold = ~histories.chosen_items()[proposed.items]
    lists = candidate_lists(proposed, histories, parameters)
    # The gate was fitted on users with a history; without one, only what all choose is known.
    is_new = (histories.history_lengths() == 0)[proposed.users][proposed.rows]
    trend = lists.features[:, first_trend(lists) :].sum(axis=1, dtype=np.float64)
    of_all = {"popularity": counts, "trend": trend}
    emphasis = np.where(is_new, 0, -hybrid.tail_emphasis * counts)
    scores = np.where(is_new, sum(of_all.values()), hybrid.gate.score(lists) + emphasis)
    best, rank = best_rows(proposed, scores, k)
    ranked_by, shelf = scores[best], {}
    if parameters.cold_shelf > 0:
        share = parameters.cold_shelf
        best, rank, ranked_by = rows_with_shelf(proposed, scores, cold, share, k)
        shelf = {"contribution_cold_shelf": ranked_by - scores[best]}
    contributions = source_contributions(hybrid.gate, lists, best)
    mean, own = mean_lists(lists), proposed.rows[best]
    above = contributions - source_contributions(hybrid.gate, mean, own)
    apart = lists.features[best] - mean.features[own]
    chosen = apart[:, lists.names.index("popularity")]
    lately = apart[:, first_trend(lists) :].sum(axis=1)
    of_item = above[list(ITEM_FEATURES)].sum(axis=1).to_numpy() - hybrid.tail_emphasis * chosen
    common = common_evidence(of_item, above["trend"].to_numpy(), chosen, lately)
    main_source = furthest(np.column_stack([above[list(proposed.sources)], common]))
    new = is_new[best]
    main_source[new] = -1
    contributions.loc[new] = 0
    for name, contribution in of_all.items():
        contributions.loc[new, name] = contribution[best][new]
    contributions = contributions.add_prefix("contribution_")
    return {
        "user_id": proposed.users[proposed.rows[best]].astype(np.int32),
        "item_id": proposed.items[best].astype(np.int32),
        "rank": rank,
        "score": ranked_by,
        "main_source": main_source,
        **{str(name): part.to_numpy(copy=True) for name, part in contributions.items()},
        "contribution_tail_emphasis": emphasis[best],
        **shelf,
    }


def mean_lists(lists: Lists) -> Lists:
    """Return one row a user: the mean features of the user's candidates; zeros without any.

    The gate is linear, so the contributions of these rows are the mean contributions.
    """
    lengths = np.diff(lists.indptr)
    means = np.zeros((len(lengths), lists.features.shape[1]))
    some = lengths > 0
    if some.any():
        sums = np.add.reduceat(lists.features, lists.indptr[:-1][some], axis=0, dtype=np.float64)
        means[some] = sums / lengths[some, None]
    # In float64: the difference to a contribution must not depend on what all candidates share.
    return Lists(np.arange(len(lengths) + 1), means, lists.names)


def common_evidence(
    of_item: NDArray[np.float64],
    of_trend: NDArray[np.float64],
    chosen: NDArray[np.float64],
    lately: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return (n, 3) how far above the mean each of ``COMMON_EVIDENCE`` lifts an item.

    -inf where the words would be false, such as popularity for an item that fewer chose than the
    others. All arguments are differences to the mean of the user's candidates.

    Args:
        of_item: (n,) contribution of the item's count, with the tail emphasis.
        of_trend: (n,) contribution of the trend.
        chosen: (n,) log count.
        lately: (n,) sum of the log counts of the trend.
    """
    popular = np.where(chosen > 0, of_item, -np.inf)
    rare = np.where(chosen > 0, -np.inf, of_item)
    return np.column_stack([popular, rare, np.where(lately > 0, of_trend, -np.inf)])


def furthest(above: NDArray[np.float64]) -> NDArray[np.int8]:
    """Return (n,) the column of each row's largest value; -1 where none is above 0."""
    first = above.argmax(axis=1)
    return np.where(above.max(axis=1) > NEGLIGIBLE, first, -1).astype(np.int8)
