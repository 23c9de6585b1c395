"""New items, of which only the text is known, among the fitted items of a catalogue.

A source that reads nothing but text scores a new item from its own text. What any other source, or
the log, would say of it is predicted from the items nearest in text: a score of 0 would not say
"unknown", but "worse than most".
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from pydantic import ConfigDict

from longtail.arrays import Arrays
from longtail.behaviour.histories import Histories
from longtail.recommenders.base import Recommender, TrainingData
from longtail.recommenders.content.text_profile import user_profiles
from longtail.recommenders.fitted_model import FittedModel
from longtail.top_k import top_items

NEIGHBOURS = 30
# Weight of the mean over the catalogue. With it, 30 neighbours and the square, counts and scores of
# items that are left out are predicted best (MovieLens 100K).
PRIOR = 1.0
# Weight of an item of a user in the text profile, relative to the next newer one.
PROFILE_DECAY = 0.85
# Distance at which two texts count as the same.
SAME = 1e-3


@dataclass(frozen=True)
class NearestInText:
    """The fitted items nearest to each new item, to predict numbers of the new items.

    Attributes:
        weights: (n_new, n_fitted) sparse float32; with the prior a row sums to 1.
        prior: (n_new,) float32 share of what is expected without neighbours.
    """

    weights: sp.csr_array
    prior: NDArray[np.float32]

    @classmethod
    def of(cls, similarity: NDArray[np.float32]) -> NearestInText:
        """Weigh the nearest items by inverse distance, so that a copy takes the original's numbers.

        Shepard: A two-dimensional interpolation function for irregularly-spaced data, ACM 1968.
        The weight is ``1 / d^2 - 1`` with ``d = 1 - similarity``: 0 for items with nothing in
        common.

        Args:
            similarity: (n_new, n_fitted) similarity of the texts, from 0 to 1.
        """
        nearest = np.sort(top_items(similarity, NEIGHBOURS), axis=1)
        close = np.take_along_axis(similarity, nearest, axis=1).clip(0, 1)
        weight = 1 / np.maximum(1 - close, SAME) ** 2 - 1
        total = weight.sum(axis=1, keepdims=True) + PRIOR
        indptr = np.arange(len(nearest) + 1) * nearest.shape[1]
        weights = sp.csr_array(
            ((weight / total).ravel().astype(np.float32), nearest.ravel(), indptr),
            shape=similarity.shape,
        )
        return cls(weights, (PRIOR / total).ravel().astype(np.float32))

    def extend(
        self, values: NDArray[np.float32], evidence: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Return (n, n_fitted + n_new) values, those of the new items predicted.

        Args:
            values: (n, n_fitted).
            evidence: (n, n_fitted + n_new) what text says of all items: its linear regression over
                the fitted items takes the place of the mean, and the neighbours predict the rest.
        """
        n_fitted = values.shape[1]
        expected = np.zeros((len(values), n_fitted + len(self.prior)), values.dtype)
        expected += values.mean(axis=1, keepdims=True)
        if evidence is not None:
            centred = evidence - evidence[:, :n_fitted].mean(axis=1, keepdims=True)
            known = centred[:, :n_fitted]
            slope = (known * (values - expected[:, :n_fitted])).sum(axis=1)
            slope /= np.maximum((known**2).sum(axis=1), 1e-9)
            expected += centred * slope[:, None]
        rest = values - expected[:, :n_fitted]
        predicted = expected[:, n_fitted:] + (self.weights @ rest.T).T
        return np.concatenate([values, predicted.astype(values.dtype)], axis=1)


@dataclass(frozen=True)
class EnlargedHistories(Histories):
    """The histories of a log over a catalogue with new items at its end.

    Counts of new items are those that their nearest items in text let expect; ``chosen_items``
    still says that nobody has them.

    Attributes:
        expected: predicts the counts; None: the new items count 0.
    """

    expected: NearestInText | None = field(default=None, repr=False)

    def item_counts(self) -> NDArray[np.int64]:
        """Return the (n_items,) number of users who have each item, expected for a new one."""
        return self._with_expected(super().item_counts())

    def recent_counts(self, share: float) -> NDArray[np.int64]:
        """Return the (n_items,) counts of the latest interactions, expected for a new item."""
        return self._with_expected(super().recent_counts(share))

    def _with_expected(self, counts: NDArray[np.int64]) -> NDArray[np.int64]:
        if self.expected is None:
            return counts
        known = np.log1p(counts[: self.expected.weights.shape[1]])[None, :]
        extended: NDArray[np.int64] = np.rint(np.expm1(self.expected.extend(known)[0])).astype(int)
        return extended


def enlarged(
    histories: Histories, item_ids: NDArray[np.object_], expected: NearestInText
) -> EnlargedHistories:
    """Return the histories over a catalogue that begins with theirs.

    Args:
        histories: of the log.
        item_ids: (n_items,) ids of the fitted and the new items.
        expected: predicts the counts of the new items.
    """
    return EnlargedHistories(
        user_ids=histories.user_ids,
        item_ids=item_ids,
        users=histories.users,
        items=histories.items,
        weights=histories.weights,
        timestamps=histories.timestamps,
        disliked_users=histories.disliked_users,
        disliked_items=histories.disliked_items,
        reference=histories.reference,
        common_cutoff=histories.common_cutoff,
        expected=expected,
    )


class PredictedFromText(Recommender):
    """A source whose scores of new items are predicted from those of their nearest items in text.

    Attributes:
        inner: the source as it was fitted.
        catalogue: the histories and the features of the items that it was fitted on.
        neighbours: of the new items.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    inner: Recommender
    catalogue: TrainingData
    neighbours: NearestInText

    def fit(self, data: TrainingData) -> Arrays:
        """Refuse: only fitted sources are served."""
        raise NotImplementedError

    def fold_in(self, arrays: Arrays, data: TrainingData) -> Arrays:
        """Return the arrays of the source for the users of other data."""
        return self.inner.fold_in(arrays, self._as_fitted(data))

    def rows_of(self, arrays: Arrays, users: NDArray[np.int64]) -> Arrays:
        """Return the arrays of the source for some users."""
        return self.inner.rows_of(arrays, users)

    def score(
        self, arrays: Arrays, data: TrainingData, users: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return the scores of the source, with those predicted for the new items."""
        scores = self.inner.score(arrays, self._as_fitted(data), users)
        profiles = user_profiles(data, users, PROFILE_DECAY)
        return self.neighbours.extend(scores, profiles @ data.items.vectors.T)

    def _as_fitted(self, data: TrainingData) -> TrainingData:
        """Return data as the source was fitted on: without the new items."""
        histories, log = data.histories, self.catalogue.histories
        if histories.users is log.users:
            return self.catalogue
        kept = histories.items < log.n_items
        known = Histories(
            user_ids=histories.user_ids,
            item_ids=log.item_ids,
            users=histories.users[kept],
            items=histories.items[kept],
            weights=histories.weights[kept],
            timestamps=histories.timestamps[kept],
            disliked_users=histories.disliked_users,
            disliked_items=histories.disliked_items,
            reference=log,
        )
        return replace(self.catalogue, histories=known)


def place(
    model: FittedModel, catalogue: TrainingData, data: TrainingData, neighbours: NearestInText
) -> FittedModel:
    """Return a source that scores the new items too.

    Args:
        model: the source, fitted.
        catalogue: what it was fitted on.
        data: the same with the new items.
        neighbours: of the new items.
    """
    if model.recommender.places_items:
        return replace(model, arrays=model.recommender.add_items(model.arrays, data))
    predicted = PredictedFromText(
        inner=model.recommender, catalogue=catalogue, neighbours=neighbours
    )
    return replace(model, recommender=predicted)
