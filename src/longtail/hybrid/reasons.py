"""Reasons: one sentence on why an item is recommended, referring to the user's own items."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from longtail.behaviour.histories import Histories
from longtail.item_graphs.graphs import keep_strongest
from longtail.text.keywords import SEPARATOR, KeywordTable

TITLE_LENGTH = 70
# User-item pairs processed at once, which bounds memory.
PAIRS_AT_ONCE = 20_000


def closest_own_item(
    histories: Histories,
    users: NDArray[np.int64],
    items: NDArray[np.int64],
    graph: sp.csr_array,
) -> NDArray[np.int64]:
    """Return, for each user-item pair, the item in the user's history that is closest to the item.

    Args:
        histories: past behaviour.
        users: (n,) user index of each pair.
        items: (n,) item index of each pair.
        graph: (n_items, n_items) closeness; row i holds the neighbours of item i.

    Returns:
        (n,) item indices, -1 where no item of the history is a neighbour.
    """
    own, matrix = np.full(len(users), -1, dtype=np.int64), histories.matrix()
    for start in range(0, len(users), PAIRS_AT_ONCE):
        rows = slice(start, start + PAIRS_AT_ONCE)
        closeness = sp.csr_array(graph[items[rows]].multiply(matrix[users[rows]]))
        closeness.sort_indices()
        best = keep_strongest(closeness, 1)
        own[start + np.flatnonzero(np.diff(best.indptr))] = best.indices
    return own


def shared_keywords(
    keywords: KeywordTable, first: NDArray[np.int64], second: NDArray[np.int64], most: int = 3
) -> list[str]:
    """Return, for each pair of items, keywords of either that occur in both texts.

    Keywords that rank high among the keywords of the items come first.

    Args:
        keywords: keyword table of all items.
        first: (n,) item indices; a pair with a negative index shares nothing.
        second: (n,) item indices.
        most: maximum number of keywords of a pair.

    Returns:
        n strings, keywords joined by commas; "" where there is none.
    """
    known = (first >= 0) & (second >= 0)
    left, right = (np.where(known, items, 0) for items in (first, second))
    weights, held = keywords.weights, keywords.held
    joined: list[str] = []
    for start in range(0, len(first), PAIRS_AT_ONCE):
        rows = slice(start, start + PAIRS_AT_ONCE)
        one, other = left[rows], right[rows]
        shared = weights[one].multiply(held[other]) + held[one].multiply(weights[other])
        top = keep_strongest(sp.csr_array(shared), most)
        joined += map(SEPARATOR.join, np.split(keywords.vocabulary[top.indices], top.indptr[1:-1]))
    return [words if ok else "" for words, ok in zip(joined, known, strict=True)]


def write_sentences(reasons: pd.DataFrame, new_users: NDArray[np.bool_]) -> pd.Series:
    """Return the reason of each row as shown to the customer, in one or two sentences.

    Args:
        reasons: own_title_by_behaviour, own_title_by_text, own_item_by_text, keywords ("" where
            there is none) and main_source (a description, "" where no source distinguishes the
            item). A title by text without an item is the customer's request.
        new_users: (n,) whether the user of the row has no history.
    """
    behaviour = _each_shortened(reasons["own_title_by_behaviour"])
    text = _each_shortened(reasons["own_title_by_text"])
    keywords = reasons["keywords"].where(
        reasons["keywords"] == "", " (" + reasons["keywords"] + ")"
    )
    has_behaviour, has_text = behaviour != "", text != ""
    is_request = has_text & (reasons["own_item_by_text"] == "")
    chosen_together = "People who chose '" + behaviour + "' also chose this"
    quoted = "'" + text + "'" + keywords
    sentence = pd.Series(
        np.select(
            [
                has_behaviour & is_request,
                has_behaviour & has_text & (behaviour == text),
                has_behaviour & has_text,
                has_behaviour,
                is_request,
                has_text,
            ],
            [
                chosen_together + ", and it matches your request " + quoted + ".",
                chosen_together + ", and the two are similar" + keywords + ".",
                chosen_together + ", and it is similar to " + quoted + ".",
                chosen_together + ".",
                "Matches your request " + quoted + ".",
                "Similar to " + quoted + ", which you chose.",
            ],
            default="",
        ),
        index=reasons.index,
    )
    main_source, distinguished = reasons["main_source"], reasons["main_source"] != ""
    because = "Recommended because of " + main_source + "."
    because = because.where(distinguished, "Recommended for several reasons, none of them strong.")
    because = because.mask(new_users, "Recommended for new customers.")
    main_reason = (" Main reason: " + main_source + ".").where(distinguished, "")
    return (sentence + main_reason).where(sentence != "", because)


def explain(
    recommendations: pd.DataFrame,
    histories: Histories,
    titles: pd.Series,
    keywords: KeywordTable,
    behaviour_graph: sp.csr_array,
    text_graph: sp.csr_array,
    descriptions: Mapping[str, str],
) -> pd.DataFrame:
    """Return the reasons for the given recommendations.

    Args:
        recommendations: user_id, item_id, rank and main_source (the name of a source, missing
            where none distinguishes the item), as returned by ``recommend_hybrid``.
        histories: past behaviour that the recommendations are based on.
        titles: (n_items,) in catalogue order.
        keywords: keyword table of all items.
        behaviour_graph: (n_items, n_items) co-consumption.
        text_graph: (n_items, n_items) text similarity.
        descriptions: words that describe each source's evidence, by name of the source.

    Returns:
        user_id, item_id, rank, title, main_source, own_item_by_behaviour, own_title_by_behaviour,
        own_item_by_text, own_title_by_text, keywords, sentence.
    """
    users = pd.Index(histories.user_ids).get_indexer(pd.Index(recommendations["user_id"]))
    items = pd.Index(histories.item_ids).get_indexer(pd.Index(recommendations["item_id"]))
    by_behaviour = closest_own_item(histories, users, items, behaviour_graph)
    by_text = closest_own_item(histories, users, items, text_graph)
    title = titles.to_numpy(dtype=object)
    reasons = pd.DataFrame(
        {
            "user_id": recommendations["user_id"].to_numpy(),
            "item_id": recommendations["item_id"].to_numpy(),
            "rank": recommendations["rank"].to_numpy(),
            "title": title[items],
            "main_source": _described(recommendations["main_source"], descriptions),
            "own_item_by_behaviour": _pick(histories.item_ids, by_behaviour),
            "own_title_by_behaviour": _pick(title, by_behaviour),
            "own_item_by_text": _pick(histories.item_ids, by_text),
            "own_title_by_text": _pick(title, by_text),
            "keywords": shared_keywords(keywords, items, by_text),
        }
    )
    new_users = histories.history_lengths()[users] == 0
    return reasons.assign(sentence=write_sentences(reasons, new_users))


def _described(sources: pd.Series, descriptions: Mapping[str, str]) -> NDArray[np.object_]:
    """Return the descriptions of sources by name, "" for a missing name."""
    return sources.astype(object).map(descriptions).fillna("").to_numpy(dtype=object)


def _each_shortened(titles: pd.Series) -> pd.Series:
    """Return titles as ``shortened``, each distinct one shortened once."""
    return titles.map({title: shortened(title) for title in titles.unique()})


def shortened(title: str) -> str:
    """Return a title cut at a word so that it fits into a sentence."""
    return textwrap.shorten(title, TITLE_LENGTH, placeholder=" ...")


def _pick(values: NDArray[np.object_], positions: NDArray[np.int64]) -> NDArray[np.object_]:
    """Return the values at the positions, "" where the position is negative."""
    return np.where(positions >= 0, values[positions], "")
