"""Free-text wishes: is an item found by a sentence about it that its indexed text does not hold?"""

from __future__ import annotations

import logging
import re

import bm25s
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from longtail.recommenders.lists import recommendation_table
from longtail.text.search import TextSearch
from longtail.top_k import top_items

# bm25s turns its debugging messages on when it is imported.
logging.getLogger("bm25s").setLevel(logging.WARNING)

# Also the full stop, exclamation and question mark of Chinese and Japanese.
SENTENCE_END = re.compile("(?<=[.!?])\\s+|(?<=[\u3002\uff01\uff1f])")
BM25 = "bm25"
# A shorter sentence says too little to be a wish.
FEWEST_CHARACTERS = 30


def draw_wishes(items: pd.DataFrame, n: int, seed: int) -> pd.DataFrame:
    """Take one sentence out of the descriptions of some items, as a wish for them.

    Sentences that several descriptions have, such as terms of delivery, are not taken.

    Args:
        items: item_id and description of the catalogue, missing or "" where there is none, indexed
            from 0.
        n: most wishes, at random.
        seed: seed of the draw.

    Returns:
        one row per wish, in the order of ``items`` and with its index: item_id, wish and
        description, which lacks the wish.
    """
    sentences = items["description"].fillna("").map(SENTENCE_END.split).explode().str.strip()
    sentences = sentences[sentences != ""]
    several = sentences.groupby(level=0).transform("size") > 1
    long_enough = sentences.str.len() >= FEWEST_CHARACTERS
    wishes = sentences[several & long_enough & ~sentences.duplicated(keep=False)]
    one_each = wishes.sample(frac=1, random_state=seed).groupby(level=0).head(1)
    drawn = one_each.sample(min(n, len(one_each)), random_state=seed).sort_index()
    rest = sentences[sentences.index.isin(drawn.index)]
    rest = rest[rest != drawn.reindex(rest.index)].groupby(level=0).agg(" ".join)
    return pd.DataFrame(
        {"item_id": items["item_id"].loc[drawn.index], "wish": drawn, "description": rest}
    )


def search_scores(
    titles: pd.Series,
    texts: pd.Series,
    vectors: NDArray[np.float32],
    queries: list[str],
    asked: NDArray[np.float32],
) -> dict[str, NDArray[np.float32]]:
    """Return the (n_queries, n_items) scores of three searches by name.

    ``bm25`` by words, in Lucene's variant and at the defaults of ``bm25s`` (Lù: BM25S, 2024);
    ``language`` by the cosines of language vectors; ``words_and_language`` as the service searches.

    Args:
        titles: (n_items,) strings.
        texts: (n_items,) strings.
        vectors: (n_items, d) language vectors of the texts, of unit length.
        queries: strings.
        asked: (n_queries, d) language vectors of the queries, of unit length.
    """
    index = bm25s.BM25()
    index.index(bm25s.tokenize(texts.tolist(), show_progress=False), show_progress=False)
    words = bm25s.tokenize(queries, return_ids=False, show_progress=False)
    by_words = [index.get_scores(query) if query else np.zeros(len(texts)) for query in words]
    joined = TextSearch.of(titles, texts, vectors).match([""] * len(queries), queries, asked)
    return {
        BM25: np.array(by_words, dtype=np.float32),
        "language": asked @ vectors.T,
        "words_and_language": joined.score,
    }


def found_items(
    scores: NDArray[np.float32], item_ids: pd.Series, wishes: pd.Index, k: int
) -> pd.DataFrame:
    """Return the k best items for each wish as lists: user_id (the wish), item_id and rank.

    Args:
        scores: (n_wishes, n_items) of every item for each wish.
        item_ids: (n_items,) ids in the order of the columns.
        wishes: (n_wishes,) ids of the wishes.
        k: length of the lists.
    """
    best = top_items(scores, k)
    values = np.take_along_axis(scores, best, axis=1)
    rows = np.arange(len(wishes))
    lists = recommendation_table(wishes.to_numpy(), item_ids.to_numpy(), rows, best, values)
    return lists.drop(columns="score")
