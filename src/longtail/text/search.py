"""How well items match a text: by the words that both have, and by their language vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS, CountVectorizer

# A cosine counts as close in meaning if it lies so many standard deviations above the mean over the
# catalogue, and is at least so high.
CLOSE_Z = 4.0
CLOSE_COSINE = 0.35
# An item has enough of the words of a text if it has this share, weighted by their rarity.
COVERED = 0.1
# So often a word of a title counts beyond its place in the text.
TITLE_WEIGHT = 2.0


@dataclass(frozen=True)
class Matches:
    """How well each item matches each of some texts.

    Attributes:
        score: (n_texts, n_items) float32 from 0, nothing in common, to 1, the same text.
        by_words: (n_texts, n_items) whether the item has enough of the words of the text.
        by_meaning: (n_texts, n_items) whether the language vectors are close.
    """

    score: NDArray[np.float32]
    by_words: NDArray[np.bool_]
    by_meaning: NDArray[np.bool_]


@dataclass(frozen=True)
class TextSearch:
    """The words and vectors of the items of a catalogue.

    Attributes:
        counter: counts the words of a text.
        idf: (n_words + 1,) float32 inverse document frequencies; the last is that of a word that no
            item has.
        words: (n_items, n_words) float32 TF-IDF, rows of unit length.
        vectors: (n_items, d) float32 language vectors of unit length.
    """

    counter: CountVectorizer
    idf: NDArray[np.float32]
    words: sp.csr_array
    vectors: NDArray[np.float32]

    @classmethod
    def of(cls, titles: pd.Series, texts: pd.Series, vectors: NDArray[np.float32]) -> TextSearch:
        """Index the items.

        Args:
            titles: (n_items,) strings.
            texts: (n_items,) strings, with or without the titles.
            vectors: (n_items, d) float32 language vectors of the texts, of unit length.
        """
        counter = CountVectorizer(token_pattern=r"(?u)\b\w+\b", dtype=np.float32)
        documents = [*titles.fillna(""), *texts.fillna("")]
        if not any(map(counter.build_analyzer(), documents)):
            counter.fit(["none"])
        else:
            counter.fit(documents)
        counts = _counts(counter, titles, texts)
        n_items = len(titles)
        held = np.append(np.bincount(counts.indices, minlength=counts.shape[1]), 0)
        idf = (np.log((1 + n_items) / (1 + held)) + 1).astype(np.float32)
        # Words such as "the" say little whatever the catalogue.
        for word, column in counter.vocabulary_.items():
            if word in ENGLISH_STOP_WORDS:
                idf[column] *= 0.1
        return cls(counter, idf, _unit_rows(counts, idf[:-1]), vectors)

    @property
    def vocabulary(self) -> NDArray[np.object_]:
        """Return (n_words,) words by column."""
        return np.asarray(self.counter.get_feature_names_out(), dtype=object)

    def match(
        self, titles: Sequence[str], texts: Sequence[str], vectors: NDArray[np.float32]
    ) -> Matches:
        """Compare texts with all items.

        The score is the mean of two: the share of the text's words that the item has, weighted by
        their inverse document frequencies and averaged with the cosine of the TF-IDF vectors, and
        the cosine of the language vectors.

        Args:
            titles: (n,) titles of the texts, "" where there is none.
            texts: (n,) strings, with or without the titles.
            vectors: (n, d) float32 language vectors of the texts.
        """
        counts = _counts(self.counter, pd.Series(titles), pd.Series(texts))
        unknown = [self._unknown(f"{a} {b}") for a, b in zip(titles, texts, strict=True)]
        mass = counts.copy()
        mass.data = self.idf[mass.indices] ** 2
        total = np.asarray(mass.sum(axis=1)).ravel() + np.array(unknown) * self.idf[-1] ** 2
        held = self.words.copy()
        held.data = np.ones_like(held.data)
        shared = sp.csr_array(mass @ held.T)
        covered = shared.toarray() / np.maximum(total, 1e-9)[:, None]
        known = np.asarray(mass.sum(axis=1)).ravel() / np.maximum(total, 1e-9)
        cosine = (_unit_rows(counts, self.idf[:-1]) @ self.words.T).toarray()
        by_words = (covered + cosine * np.sqrt(known)[:, None]) / 2
        by_vectors = np.clip(vectors @ self.vectors.T, 0, 1)
        spread = np.maximum(by_vectors.std(axis=1), 1e-9)
        z = (by_vectors - by_vectors.mean(axis=1)[:, None]) / spread[:, None]
        return Matches(
            ((by_words + by_vectors) / 2).astype(np.float32),
            covered >= COVERED,
            (z >= CLOSE_Z) & (by_vectors >= CLOSE_COSINE),
        )

    def shared_words(self, text: str, items: NDArray[np.int64], most: int = 3) -> list[str]:
        """Return, for each item, the words of a text that it has, the rarest first, by commas."""
        own = np.unique(_counts(self.counter, pd.Series([""]), pd.Series([text])).indices)
        own = own[np.argsort(-self.idf[own], kind="stable")]
        names = self.vocabulary
        held = self.words[items][:, own].toarray() > 0
        return [", ".join(names[own[row]][:most]) for row in held]

    def with_items(
        self, titles: Sequence[str], texts: Sequence[str], vectors: NDArray[np.float32]
    ) -> TextSearch:
        """Return the index with items appended.

        Args:
            titles: (n,) strings.
            texts: (n,) strings.
            vectors: (n, d) float32 language vectors of the texts.
        """
        words_of, vocabulary = self.counter.build_analyzer(), dict(self.counter.vocabulary_)
        for document in (*titles, *texts):
            for word in words_of(document):
                vocabulary.setdefault(word, len(vocabulary))
        counter = CountVectorizer(
            token_pattern=self.counter.token_pattern, dtype=np.float32, vocabulary=vocabulary
        )
        counter.fit([])
        idf = np.append(self.idf, np.full(len(vocabulary) + 1 - len(self.idf), self.idf[-1]))
        added = _unit_rows(_counts(counter, pd.Series(titles), pd.Series(texts)), idf[:-1])
        known = self.words.copy()
        known.resize(known.shape[0], len(vocabulary))
        words = sp.csr_array(sp.vstack([known, added], format="csr"))
        return TextSearch(counter, idf, words, np.concatenate([self.vectors, vectors]))

    def _unknown(self, text: str) -> int:
        """Return how many different words of a text no item has."""
        known = self.counter.vocabulary_
        return len({word for word in self.counter.build_analyzer()(text) if word not in known})


def _counts(counter: CountVectorizer, titles: pd.Series, texts: pd.Series) -> sp.csr_array:
    """Return (n, n_words) float32 counts of words, those of titles ``TITLE_WEIGHT`` times more."""
    of_titles = counter.transform(titles.fillna(""))
    of_texts = counter.transform(texts.fillna(""))
    return sp.csr_array(TITLE_WEIGHT * of_titles + of_texts)


def _unit_rows(counts: sp.csr_array, idf: NDArray[np.float32]) -> sp.csr_array:
    """Return the sublinear TF-IDF of counts, with rows of unit length."""
    weighted = counts.copy()
    weighted.data = (1 + np.log(weighted.data)) * idf[weighted.indices]
    norm = np.sqrt(np.asarray(weighted.multiply(weighted).sum(axis=1)).ravel())
    return sp.csr_array(sp.diags_array(1 / np.maximum(norm, 1e-9)) @ weighted, dtype=np.float32)
