"""Ranked lists of a fitted recommender as tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from longtail.arrays import Arrays
from longtail.recommenders.base import Recommender, TrainingData
from longtail.top_k import rank_unseen, user_blocks

COLUMNS = {"user_id": "str", "item_id": "str", "rank": "int64", "score": "float64"}


def no_recommendations() -> pd.DataFrame:
    """Return the lists of a model that was not fitted: user_id, item_id, rank, score, no rows."""
    return pd.DataFrame(columns=list(COLUMNS)).astype(COLUMNS)


def recommendation_table(
    user_ids: NDArray[np.object_],
    item_ids: NDArray[np.object_],
    users: NDArray[np.int64],
    items: NDArray[np.int64],
    scores: NDArray[np.float32],
) -> pd.DataFrame:
    """Return ranked lists as a table: user_id, item_id, rank (from 1), score.

    Args:
        user_ids: ids by user index.
        item_ids: ids by item index.
        users: (n,) user indices.
        items: (n, k) item indices, best first.
        scores: (n, k) scores; items with -inf are left out.
    """
    listed = np.isfinite(scores)
    rank = np.broadcast_to(np.arange(1, items.shape[1] + 1), items.shape)
    return pd.DataFrame(
        {
            "user_id": user_ids[np.repeat(users, listed.sum(axis=1))],
            "item_id": item_ids[items[listed]],
            "rank": rank[listed].astype(np.int64),
            "score": scores[listed].astype(np.float64),
        }
    )


def recommend(
    recommender: Recommender,
    arrays: Arrays,
    data: TrainingData,
    users: NDArray[np.int64],
    k: int,
    label: str | None = None,
    candidates: NDArray[np.bool_] | None = None,
) -> pd.DataFrame:
    """Return the top-k lists of the users as a table, see ``recommendation_table``.

    Users are scored in blocks of bounded memory. What a user has or dislikes is never listed; users
    without a history get the most popular items. Where ``candidates`` (n_items,) is given, no other
    items are listed.
    """
    popularity = data.histories.item_counts().astype(np.float32)
    new = data.histories.history_lengths() == 0
    tables = []
    for block in user_blocks(users, data.histories.n_items, label):
        block_scores = recommender.score(arrays, data, block)
        block_scores[new[block]] = popularity
        if candidates is not None:
            block_scores[:, ~candidates] = -np.inf
        items, scores = rank_unseen(block_scores, data.histories.unlisted(block), k)
        tables.append(
            recommendation_table(
                data.histories.user_ids, data.histories.item_ids, block, items, scores
            )
        )
    return pd.concat(tables, ignore_index=True)
