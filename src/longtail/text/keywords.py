"""Keywords: the words and short phrases of an item's own text that are closest to its meaning."""

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
# Items at once, and the phrases closest to an item among which its keywords are chosen.
BLOCK = 512
SHORTLIST = 20
# A word with the digits, hyphens and apostrophes within it, or one other sign.
TOKEN = re.compile(r"\w+(?:['\u2019-]\w+)*|[^\w\s]")
LETTERS = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*")


def words_in(text: str) -> Iterator[str | None]:
    """Yield the telling words of a text in lower case, None in place of anything else.

    A telling word is made of letters, has three of them (two in scripts other than Latin) and is no
    English stop word.
    """
    for token in TOKEN.findall(text.lower()):
        long_enough = len(token) > 2 or not token.isascii()
        telling = long_enough and LETTERS.fullmatch(token) and token not in ENGLISH_STOP_WORDS
        yield token if telling else None


def phrases_in(text: str) -> Iterator[str]:
    """Yield the telling words of a text, and each two that stand side by side."""
    former = None
    for word in words_in(text):
        if word:
            yield word
        if word and former:
            yield f"{former} {word}"
        former = word


def common_phrases(texts: Sequence[str], most: int) -> list[str]:
    """Return the words and phrases of the most texts, without those of more than half of them.

    Args:
        texts: (n_items,) strings.
        most: phrases at most.
    """
    counts = Counter(phrase for text in texts for phrase in set(phrases_in(text)))
    telling = [phrase for phrase, count in counts.items() if 2 * count <= len(texts)]
    return sorted(telling, key=lambda phrase: (-counts[phrase], phrase))[:most]


def phrases_held(texts: Sequence[str], phrases: Sequence[str]) -> sp.csr_array:
    """Return (n_items, n_phrases) float32 ones where a text holds a phrase."""
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
    """Return the phrases of each item that are close to its vector and unlike each other.

    Candidates of the own text ranked by cosine as in KeyBERT (Grootendorst, 2020), by maximal
    marginal relevance (Carbonell, Goldstein: The Use of MMR, SIGIR 1998).

    Args:
        items: (n_items, d) unit vectors.
        phrases: (n_phrases, d) unit vectors of the same encoder.
        held: (n_items, n_phrases) non-zero where an item's text holds a phrase.
        most: keywords of an item at most.
        diversity: 0 takes the closest, towards 1 those unlike the ones already taken.

    Returns:
        (n_items, most) phrase indices, the best first; -1 where there are no more.
    """
    chosen = np.full((len(items), most), -1, dtype=np.int64)
    for start in range(0, len(items) if len(phrases) else 0, BLOCK):
        rows = slice(start, start + BLOCK)
        closeness = items[rows] @ phrases.T
        closeness[held[rows].toarray() == 0] = -np.inf
        chosen[rows] = _marginally_relevant(closeness, phrases, most, diversity)
    return chosen


def _marginally_relevant(
    closeness: NDArray[np.float32], phrases: NDArray[np.float32], most: int, diversity: float
) -> NDArray[np.int64]:
    """Return (n, most) columns of closeness, one after the other; -1 below minus infinity."""
    size = min(SHORTLIST, closeness.shape[1])
    columns = np.argpartition(-closeness, size - 1, axis=1)[:, :size]
    relevance = np.take_along_axis(closeness, columns, axis=1)
    vectors = phrases[columns]
    alike = vectors @ vectors.transpose(0, 2, 1)
    likeness = np.full_like(relevance, -1)
    everyone = np.arange(len(closeness))
    chosen = np.full((len(closeness), most), -1, dtype=np.int64)
    for place in range(min(most, size)):
        score = (1 - diversity) * relevance - diversity * likeness
        best = score.argmax(axis=1)
        there = np.isfinite(score[everyone, best])
        chosen[there, place] = columns[everyone, best][there]
        relevance[everyone, best] = -np.inf
        likeness = np.maximum(likeness, alike[everyone, best])
    return chosen


def join_keywords(chosen: NDArray[np.int64], phrases: Sequence[str]) -> list[str]:
    """Return the keywords of each item as one string, joined by commas; "" without any.

    Args:
        chosen: (n_items, most) phrase indices, -1 for none.
        phrases: the phrases.
    """
    return [SEPARATOR.join(phrases[place] for place in row if place >= 0) for row in chosen]


@dataclass(frozen=True)
class KeywordTable:
    """The keywords of all items, and which texts hold them.

    Attributes:
        vocabulary: (n_words,) distinct keywords.
        weights: (n_items, n_words) one over the place of a keyword among the item's own.
        held: (n_items, n_words) ones where an item's text holds a word, keyword of it or not.
    """

    vocabulary: NDArray[np.object_]
    weights: sp.csr_array
    held: sp.csr_array

    @classmethod
    def of(cls, texts: pd.Series, keywords: pd.Series) -> KeywordTable:
        """Return the table of (n_items,) texts and keywords, both in catalogue order."""
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
        """Return the table with more texts at its end, which have no keywords of their own."""
        none = sp.csr_array((len(texts), len(self.vocabulary)), dtype=np.float32)
        held = phrases_held(texts, list(self.vocabulary))
        return replace(
            self,
            weights=sp.csr_array(sp.vstack([self.weights, none])),
            held=sp.csr_array(sp.vstack([self.held, held])),
        )
