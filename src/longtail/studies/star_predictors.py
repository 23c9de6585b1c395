"""Predictors of stars: means and biases, matrix factorisation, a fine-tuned language model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from longtail.behaviour.histories import build_histories
from longtail.recommenders.base import TrainingData
from longtail.recommenders.language_model_ranker.biases import bias_ratings
from longtail.recommenders.language_model_ranker.model import LanguageModelRanker
from longtail.studies.matrix_factorisation import MatrixFactorisation

Stars = NDArray[np.floating]
Setting = TypeVar("Setting")

FACTORISATIONS = tuple(
    MatrixFactorisation(factors, regularization)
    for factors, regularization in ((8, 10.0), (16, 10.0), (8, 5.0), (32, 10.0), (16, 20.0))
)
LEARNING_RATES = (1.0, 0.5, 2.0, 0.25, 4.0)
"""Shares of the given learning rate; as many as there are settings of the factorisation."""


@dataclass(frozen=True)
class StarPeriod:
    """Stars to learn from, and later ones to predict.

    Attributes:
        data: histories of all rated pairs of the past, with their stars.
        users: (n,) user indices of the later stars.
        items: (n,) item indices of the later stars.
        actual: (n,) later stars, float64.
    """

    data: TrainingData
    users: NDArray[np.int64]
    items: NDArray[np.int64]
    actual: NDArray[np.float64]


def star_period(data: TrainingData, past: pd.DataFrame, later: pd.DataFrame) -> StarPeriod:
    """Index the stars before and after a moment.

    Args:
        data: gives the index of users and items, features and seed.
        past: user_id, item_id, rating, timestamp; each pair once.
        later: the same of the stars to predict.
    """
    user_ids, item_ids = data.histories.user_ids, data.histories.item_ids
    histories = build_histories(
        past.assign(weight=1.0),
        user_ids,
        item_ids,
        common_cutoff=data.histories.common_cutoff,
        seed=data.seed,
    )
    pairs = pd.MultiIndex.from_arrays([user_ids[histories.users], item_ids[histories.items]])
    stars = past.set_index(["user_id", "item_id"])["rating"].reindex(pairs)
    return StarPeriod(
        replace(data, histories=histories, ratings=stars.to_numpy(np.float32)),
        pd.Index(user_ids).get_indexer(pd.Index(later["user_id"])),
        pd.Index(item_ids).get_indexer(pd.Index(later["item_id"])),
        later["rating"].to_numpy(np.float64),
    )


def predict_stars(
    ranker: LanguageModelRanker, validation: StarPeriod, test: StarPeriod, trials: int
) -> dict[str, Stars]:
    """Return (n,) predictions of the later stars of the test, by name of the predictor.

    The factorisation and the language model try the same number of settings and take the one with
    the lowest error on the later stars of the validation. The language model without text has the
    chosen setting; all its items read alike, so that its difference to the one with text is the
    share of the text.

    Args:
        ranker: settings of the language model.
        validation: the stars before the validation, and those of the validation.
        test: the stars before the test, and those of the test.
        trials: settings tried; there are five.
    """
    factorisation = _best(FACTORISATIONS[:trials], _factorise, validation)
    rates = LEARNING_RATES[:trials]
    rankers = [_star_ranker(ranker, share * ranker.learning_rate) for share in rates]
    head = _best(rankers, _read, validation)
    mean = float(np.nanmean(test.data.ratings.astype(np.float64)))
    ratings, histories = test.data.ratings, test.data.histories
    return {
        "global_mean": np.full(len(test.actual), mean),
        "bias_only": bias_ratings(histories, ratings, test.users, test.items),
        "matrix_factorisation": _factorise(factorisation, test),
        "language_model": _read(head, test),
        "language_model_without_text": _read(head, without_text(test)),
    }


def without_text(period: StarPeriod) -> StarPeriod:
    """Return the same stars with items whose texts are all the same and have no vectors."""
    items = period.data.items
    blank = replace(
        items,
        texts=np.full(len(items.texts), "item", dtype=object),
        vectors=np.zeros_like(items.vectors),
    )
    return replace(period, data=replace(period.data, items=blank))


def _star_ranker(ranker: LanguageModelRanker, learning_rate: float) -> LanguageModelRanker:
    return ranker.model_copy(update={"task": "rating", "learning_rate": learning_rate})


def _factorise(setting: MatrixFactorisation, period: StarPeriod) -> Stars:
    arrays = setting.fit(period.data.histories, period.data.ratings)
    return setting.predict(arrays, period.users, period.items)


def _read(setting: LanguageModelRanker, period: StarPeriod) -> Stars:
    arrays = setting.fit(period.data)
    return setting.predict_ratings(arrays, period.data, period.users, period.items)


def _best(
    settings: Sequence[Setting], predict: Callable[[Setting, StarPeriod], Stars], period: StarPeriod
) -> Setting:
    """Return the setting with the lowest square error on the later stars; the first without any."""
    nothing_known = not len(period.actual) or not np.isfinite(period.data.ratings).any()
    if len(settings) == 1 or nothing_known:
        return settings[0]
    errors = [((predict(one, period) - period.actual) ** 2).mean() for one in settings]
    return settings[int(np.argmin(errors))]
