from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from tests.recommenders.worlds import taste_world, with_items

from longtail.recommenders.language_model_ranker.model import LanguageModelRanker
from longtail.studies import star_predictors
from longtail.studies.star_predictors import StarPeriod, predict_stars, star_period, without_text


@pytest.fixture
def period() -> StarPeriod:
    """Users rate in reverse order of their ids; one star is held out."""
    data = with_items(taste_world(2, 3, 1.0), texts=np.array(["a", "b", "c"], dtype=object))
    rows = [("u001", "i002", 1.0, 1), ("u000", "i001", 5.0, 2), ("u000", "i000", 2.0, 3)]
    columns = ["user_id", "item_id", "rating", "timestamp"]
    later = pd.DataFrame([("u001", "i000", 3.0, 9)], columns=columns)
    return star_period(data, pd.DataFrame(rows, columns=columns), later)


def test_stars_follow_the_order_of_the_histories(period: StarPeriod) -> None:
    histories = period.data.histories
    assert histories.users.tolist() == [0, 0, 1]
    assert histories.items.tolist() == [1, 0, 2]
    assert period.data.ratings.tolist() == [5, 2, 1]
    assert (period.users.tolist(), period.items.tolist()) == ([1], [0])


def test_without_text_all_items_read_alike(period: StarPeriod) -> None:
    items = without_text(period).data.items
    assert len(set(items.texts)) == 1
    assert not items.vectors.any()


def test_predictors_by_hand(period: StarPeriod, monkeypatch: pytest.MonkeyPatch) -> None:
    """The language model is replaced by one that adds its learning rate where there is text."""
    read = lambda model, data: model.learning_rate * data.data.items.vectors.any()  # noqa: E731
    monkeypatch.setattr(star_predictors, "_read", lambda m, p: np.full(1, 3.5 - read(m, p)))
    found = predict_stars(LanguageModelRanker(learning_rate=1.0), period, period, trials=2)
    assert list(found) == [
        "global_mean",
        "bias_only",
        "matrix_factorisation",
        "language_model",
        "language_model_without_text",
    ]
    assert found["global_mean"] == pytest.approx([8 / 3])
    # Tried are the rates 1 and 0.5, and 3.5 - 0.5 is the star.
    assert found["language_model"] == pytest.approx([3])
    assert found["language_model_without_text"] == pytest.approx([3.5])


def test_without_stars_on_validation_the_first_setting_stays(period: StarPeriod) -> None:
    empty = replace(period, actual=np.empty(0))
    best = star_predictors._best((1, 2), lambda _, __: np.empty(0), empty)
    assert best == 1


def test_both_try_the_same_number_of_settings() -> None:
    assert len(star_predictors.FACTORISATIONS) == len(star_predictors.LEARNING_RATES)
