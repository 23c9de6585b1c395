"""Reasons: why an item is recommended, in the words of the user's own items."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from longtail.behaviour.histories import Histories
from longtail.models.graphs import keep_strongest
from longtail.text.keywords import SEPARATOR, KeywordTable

SHARE_PREFIX = "contribution_"
TITLE_LENGTH = 70
# User-item pairs whose closeness to all of the user's items is held in memory at once.
PAIRS = 20_000


def strongest_own_item(
    histories: Histories,
    users: NDArray[np.int64],
    items: NDArray[np.int64],
    graph: sp.csr_array,
) -> NDArray[np.int64]:
    """Return for each user-item pair the user's own item that is closest to the item.

    Args:
        histories: the users' own items.
        users: (n,) user index of each pair.
        items: (n,) item index of each pair.
        graph: (n_items, n_items) closeness; row i holds what is close to item i.

    Returns:
        (n,) item indices, -1 where none of the user's items is close to it.
    """
    own, matrix = np.full(len(users), -1, dtype=np.int64), histories.matrix()
    for start in range(0, len(users), PAIRS):
        rows = slice(start, start + PAIRS)
        closeness = sp.csr_array(graph[items[rows]].multiply(matrix[users[rows]]))
        closeness.sort_indices()
        best = keep_strongest(closeness, 1)
        own[start + np.flatnonzero(np.diff(best.indptr))] = best.indices
    return own


def shared_keywords(
    keywords: KeywordTable, first: NDArray[np.int64], second: NDArray[np.int64], most: int = 3
) -> list[str]:
    """Return the keywords of one or both of two items that both their texts hold.

    The better their places among the keywords of the items, the sooner they are taken.

    Args:
        keywords: of all items.
        first: (n,) item indices; a pair with a negative index shares nothing.
        second: (n,) item indices.
        most: keywords at most.
    """
    known = (first >= 0) & (second >= 0)
    left, right = (np.where(known, items, 0) for items in (first, second))
    weights, held = keywords.weights, keywords.held
    telling: list[str] = []
    for start in range(0, len(first), PAIRS):
        one, other = left[start : start + PAIRS], right[start : start + PAIRS]
        shared = weights[one].multiply(held[other]) + held[one].multiply(weights[other])
        top = keep_strongest(sp.csr_array(shared), most)
        telling += map(SEPARATOR.join, np.split(keywords.vocabulary[top.indices], top.indptr[1:-1]))
    return [pair if ok else "" for pair, ok in zip(telling, known, strict=True)]


def main_source(recommendations: pd.DataFrame, descriptions: Mapping[str, str]) -> pd.Series:
    """Return what speaks most for each recommendation, among the described shares.

    Args:
        recommendations: with the columns ``contribution_<name>``.
        descriptions: what each share means, in words, by its name; a source that was left out has
            none.
    """
    words = {f"{SHARE_PREFIX}{name}": words for name, words in descriptions.items()}
    shares = recommendations[[share for share in words if share in recommendations]]
    return shares.idxmax(axis=1).map(words)


def write_sentences(reasons: pd.DataFrame) -> pd.Series:
    """Return one sentence a row, made of the columns of the reasons alone.

    Args:
        reasons: own_title_by_behaviour, own_title_by_text, keywords ("" where there is none) and
            main_source (words).
    """
    behaviour = reasons["own_title_by_behaviour"].map(_shortened)
    text = reasons["own_title_by_text"].map(_shortened)
    by_behaviour = np.where(
        behaviour != "", "people who chose '" + behaviour + "' also chose this", ""
    )
    words = np.where(reasons["keywords"] != "", " (" + reasons["keywords"] + ")", "")
    like = np.where(behaviour == text, "reads like it", "it reads like '" + text + "'")
    by_text = np.where(text != "", pd.Series(like, index=reasons.index) + words, "")
    both = np.where((by_behaviour != "") & (by_text != ""), ", and ", "")
    by_share = "it is here for " + reasons["main_source"]
    joined = pd.Series(by_behaviour + both + by_text, index=reasons.index)
    capital = joined.str.slice(0, 1).str.upper() + joined.str.slice(1)
    sentence = capital + ". What counts most: " + reasons["main_source"] + "."
    return sentence.where(joined != "", "None of your items is close to it: " + by_share + ".")


def explain(
    recommendations: pd.DataFrame,
    histories: Histories,
    titles: pd.Series,
    keywords: KeywordTable,
    behaviour_graph: sp.csr_array,
    text_graph: sp.csr_array,
    descriptions: Mapping[str, str],
) -> pd.DataFrame:
    """Return the reasons of the given recommendations.

    Args:
        recommendations: user_id, item_id, rank and the ``contribution_<name>`` columns.
        histories: the behaviour that the recommendations were made from.
        titles: (n_items,) in catalogue order.
        keywords: of all items, in catalogue order.
        behaviour_graph: (n_items, n_items) closeness by co-consumption.
        text_graph: (n_items, n_items) closeness by text.
        descriptions: what each share means, in words, by its name.

    Returns:
        user_id, item_id, rank, title, main_source, own_item_by_behaviour, own_title_by_behaviour,
        own_item_by_text, own_title_by_text, keywords, sentence.
    """
    users = pd.Index(histories.user_ids).get_indexer(pd.Index(recommendations["user_id"]))
    items = pd.Index(histories.item_ids).get_indexer(pd.Index(recommendations["item_id"]))
    by_behaviour = strongest_own_item(histories, users, items, behaviour_graph)
    by_text = strongest_own_item(histories, users, items, text_graph)
    title = titles.to_numpy(dtype=object)
    reasons = pd.DataFrame(
        {
            "user_id": recommendations["user_id"].to_numpy(),
            "item_id": recommendations["item_id"].to_numpy(),
            "rank": recommendations["rank"].to_numpy(),
            "title": title[items],
            "main_source": main_source(recommendations, descriptions).to_numpy(),
            "own_item_by_behaviour": _pick(histories.item_ids, by_behaviour),
            "own_title_by_behaviour": _pick(title, by_behaviour),
            "own_item_by_text": _pick(histories.item_ids, by_text),
            "own_title_by_text": _pick(title, by_text),
            "keywords": shared_keywords(keywords, items, by_text),
        }
    )
    return reasons.assign(sentence=write_sentences(reasons))


def _shortened(title: str) -> str:
    """Return a title that a sentence can hold: cut after a word where it is long."""
    return textwrap.shorten(title, TITLE_LENGTH, placeholder=" ...")


def _pick(values: NDArray[np.object_], positions: NDArray[np.int64]) -> NDArray[np.object_]:
    """Return the values at the positions, "" where the position is negative."""
    return np.where(positions >= 0, values[positions], "")
