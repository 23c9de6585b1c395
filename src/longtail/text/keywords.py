"""Keywords: words and short phrases of an item's text whose vectors are closest to the item's."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS, CountVectorizer

SEPARATOR = ", "
# Items processed at once.
ITEMS_AT_ONCE = 512
# Closest phrases of an item, among which its keywords are chosen.
SHORTLIST = 20
# A word with inner digits, hyphens and apostrophes, or any other single character.
TOKEN = re.compile(r"\w+(?:['\u2019-]\w+)*|[^\w\s]")
LETTERS = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*")


def words_in(text: str) -> Iterator[str | None]:
    """Yield the content words of a text in lower case, None in place of anything else.

    A content word consists of letters, at least three of them if all are ASCII, and is not an
    English stop word.
    """
    for token in TOKEN.findall(text.lower()):
        long_enough = len(token) > 2 or not token.isascii()
        is_word = long_enough and LETTERS.fullmatch(token) and token not in ENGLISH_STOP_WORDS
        yield token if is_word else None


def phrases_in(text: str) -> Iterator[str]:
    """Yield the content words of a text and each pair of adjacent ones."""
    former = None
    for word in words_in(text):
        if word:
            yield word
        if word and former:
            yield f"{former} {word}"
        former = word


def common_phrases(texts: Sequence[str], most: int) -> list[str]:
    """Return the most frequent words and phrases, without those in more than half of the texts.

    Args:
        texts: (n_items,) strings.
        most: maximum number of phrases.
    """
    counts = Counter(phrase for text in texts for phrase in set(phrases_in(text)))
    specific = [phrase for phrase, count in counts.items() if 2 * count <= len(texts)]
    return sorted(specific, key=lambda phrase: (-counts[phrase], phrase))[:most]


def phrases_held(texts: Sequence[str], phrases: Sequence[str]) -> sp.csr_array:
    """Return (n_items, n_phrases) float32, 1 where a text contains a phrase."""
    if not len(phrases):
        return sp.csr_array((len(texts), 0), dtype=np.float32)
    columns = {phrase: column for column, phrase in enumerate(phrases)}
    counter = CountVectorizer(
        analyzer=phrases_in, vocabulary=columns, binary=True, dtype=np.float32
    )
    return sp.csr_array(counter.transform(texts))


def choose_keywords(
    items: NDArray[np.float32],
    phrases: NDArray[np.float32],
    held: sp.csr_array,
    most: int,
    diversity: float,
) -> NDArray[np.int64]:
    """Return the phrases of each item that are close to its vector and dissimilar to each other.

    Phrases of the item's text ranked by cosine as in KeyBERT (Grootendorst, 2020), with maximal
    marginal relevance (Carbonell, Goldstein: The Use of MMR, SIGIR 1998); vectorised over items,
    which the package keybert is not.

    Args:
        items: (n_items, d) unit vectors.
        phrases: (n_phrases, d) unit vectors of the same encoder.
        held: (n_items, n_phrases) non-zero where the text of an item contains a phrase.
        most: maximum number of keywords of an item.
        diversity: from 0, which takes the closest phrases, to 1, which takes those least similar
            to the ones already chosen.

    Returns:
        (n_items, most) phrase indices, best first, padded with -1.
    """
    chosen = np.full((len(items), most), -1, dtype=np.int64)
    for start in range(0, len(items) if len(phrases) else 0, ITEMS_AT_ONCE):
        rows = slice(start, start + ITEMS_AT_ONCE)
        closeness = items[rows] @ phrases.T
        closeness[held[rows].toarray() == 0] = -np.inf
        chosen[rows] = _marginally_relevant(closeness, phrases, most, diversity)
    return chosen


def _marginally_relevant(
    closeness: NDArray[np.float32], phrases: NDArray[np.float32], most: int, diversity: float
) -> NDArray[np.int64]:
    """Return (n, most) columns of closeness by maximal marginal relevance, padded with -1."""
    size = min(SHORTLIST, closeness.shape[1])
    columns = np.argpartition(-closeness, size - 1, axis=1)[:, :size]
    relevance = np.take_along_axis(closeness, columns, axis=1)
    vectors = phrases[columns]
    similarity = vectors @ vectors.transpose(0, 2, 1)
    redundancy = np.full_like(relevance, -1)
    rows = np.arange(len(closeness))
    chosen = np.full((len(closeness), most), -1, dtype=np.int64)
    for place in range(min(most, size)):
        score = (1 - diversity) * relevance - diversity * redundancy
        best = score.argmax(axis=1)
        there = np.isfinite(score[rows, best])
        chosen[there, place] = columns[rows, best][there]
        relevance[rows, best] = -np.inf
        redundancy = np.maximum(redundancy, similarity[rows, best])
    return chosen


def join_keywords(chosen: NDArray[np.int64], phrases: Sequence[str]) -> list[str]:
    """Return the keywords of each item, joined by commas; "" where there is none.

    Args:
        chosen: (n_items, most) phrase indices, padded with -1.
        phrases: the phrases.
    """
    return [SEPARATOR.join(phrases[index] for index in row if index >= 0) for row in chosen]


def beyond_title(keywords: str, title: str) -> str:
    """Return the keywords that share no word with a title; a plural "s" makes no difference.

    Args:
        keywords: joined by commas.
        title: of the item.
    """
    known = {word.removesuffix("s") for word in LETTERS.findall(title.lower())}
    phrases = keywords.split(SEPARATOR) if keywords else []
    return SEPARATOR.join(
        phrase
        for phrase in phrases
        if known.isdisjoint(word.removesuffix("s") for word in phrase.split())
    )


@dataclass(frozen=True)
class KeywordTable:
    """The keywords of all items, and the texts that contain them.

    Attributes:
        vocabulary: (n_words,) distinct keywords.
        weights: (n_items, n_words) reciprocal rank of a keyword among those of the item.
        held: (n_items, n_words) 1 where the text of an item contains a word.
    """

    vocabulary: NDArray[np.object_]
    weights: sp.csr_array
    held: sp.csr_array

    @classmethod
    def of(cls, texts: pd.Series, keywords: pd.Series) -> KeywordTable:
        """Return the table of (n_items,) texts and keywords (joined by commas)."""
        own = keywords.str.split(SEPARATOR).explode()
        own = own[own != ""]
        codes, vocabulary = pd.factorize(own, sort=True)
        rows = pd.Index(keywords.index).get_indexer(own.index)
        weights = 1.0 / (1.0 + own.groupby(level=0).cumcount().to_numpy())
        size = (len(keywords), len(vocabulary))
        return cls(
            vocabulary=np.asarray(vocabulary, dtype=object),
            weights=sp.csr_array((weights.astype(np.float32), (rows, codes)), shape=size),
            held=phrases_held(texts.tolist(), list(vocabulary)),
        )

    def with_texts(self, texts: Sequence[str]) -> KeywordTable:
        """Return the table with texts appended that have no keywords of their own."""
        none = sp.csr_array((len(texts), len(self.vocabulary)), dtype=np.float32)
        held = phrases_held(texts, list(self.vocabulary))
        return replace(
            self,
            weights=sp.csr_array(sp.vstack([self.weights, none])),
            held=sp.csr_array(sp.vstack([self.held, held])),
        )
