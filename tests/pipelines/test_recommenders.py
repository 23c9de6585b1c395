import logging
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from longtail.arrays import Arrays
from longtail.behaviour.histories import Histories, build_histories
from longtail.errors import NotApplicableError, UserError
from longtail.pipelines.recommenders.nodes import (
    recommend_items,
    refit_recommender,
    tuning_step,
)
from longtail.pipelines.recommenders.params import RecommenderParameters
from longtail.recommenders.base import Recommender, TrainingData
from longtail.recommenders.fitted_model import FittedModel, applicable
from longtail.recommenders.popularity import Popularity
from longtail.recommenders.recent_popularity import RecentPopularity
from longtail.tuning.search import TuningParameters

TUNING = TuningParameters(trials=2)
SETTINGS: dict[str, dict[str, Any]] = {}
REASON = "TooLarge was left out: three items are too many."


class TooLarge(Recommender):
    """A model that the data do not allow."""

    def fit(self, data: TrainingData) -> Arrays:  # noqa: ARG002
        raise NotApplicableError(REASON)

    def score(self, *_: Any) -> Any:
        raise AssertionError


def histories(*pairs: str) -> Histories:
    table = pd.DataFrame([pair.split() for pair in pairs], columns=["user_id", "item_id"])
    users, items = np.array(["u", "v"], dtype=object), np.array(list("abc"), dtype=object)
    return build_histories(table.assign(timestamp=1, weight=1.0), users, items)


TRAINING, HELD_OUT = histories("u a", "v a", "v b"), histories("u b")
PAST = histories("u a", "v a", "v b", "u b")
TEST = pd.DataFrame({"user_id": ["u"], "item_id": ["b"]})


def test_a_model_that_the_data_do_not_allow_is_left_out_with_a_sentence(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO):
        tune = tuning_step("popularity", TooLarge)
        hyperparameters, trials, tuned = tune(SETTINGS, TUNING, TRAINING, HELD_OUT, {})
    assert caplog.messages == [REASON]
    assert hyperparameters == {"not_applicable": REASON}
    assert (trials, tuned.arrays, tuned.not_applicable) == ([], {}, REASON)
    refitted = refit_recommender(tuned, TUNING, PAST, {})
    assert refitted.not_applicable == REASON
    lists = recommend_items(refitted, TUNING, PAST, TEST, 10)
    assert lists.columns.to_list() == ["user_id", "item_id", "rank", "score"]
    assert len(lists) == 0


def test_a_model_that_only_the_refit_does_not_allow_is_left_out_too(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO):
        refitted = refit_recommender(FittedModel(TooLarge(), {}), TUNING, PAST, {})
    assert (refitted.arrays, refitted.not_applicable) == ({}, REASON)
    assert caplog.messages == [REASON]


def test_a_source_that_the_data_do_not_allow_is_left_out() -> None:
    models = {
        "a": FittedModel(Popularity(), {}, "Too many items."),
        "b": FittedModel(Popularity(), {"item_scores": np.ones(3)}),
    }
    assert list(applicable(models, ["a", "b"])) == ["b"]
    with pytest.raises(UserError, match=r"allow none of the models a\. Too many items\."):
        applicable(models, ["a"])


def test_a_model_is_tuned_refitted_and_recommends() -> None:
    tune = tuning_step("popularity", Popularity)
    hyperparameters, trials, tuned = tune(SETTINGS, TUNING, TRAINING, HELD_OUT, {})
    assert hyperparameters == {}
    assert len(trials) == 1
    refitted = refit_recommender(tuned, TUNING, PAST, {})
    np.testing.assert_array_equal(refitted.arrays["item_scores"], [2, 2, 0])
    lists = recommend_items(refitted, TUNING, PAST, TEST, 10)
    # The user has a and b already.
    assert lists["item_id"].to_list() == ["c"]


def test_an_unknown_model_is_named_before_anything_runs() -> None:
    with pytest.raises(ValidationError, match=r"recommenders\.fitted names alss; there are random"):
        RecommenderParameters(fitted=("alss",))
    with pytest.raises(ValidationError, match=r"recommenders\.settings names alss; there"):
        RecommenderParameters(fitted=(), settings={"alss": {}})


def test_a_setting_that_a_model_does_not_have_is_named_before_anything_runs() -> None:
    with pytest.raises(ValidationError, match=r"settings\.als\.rank: .* als has factors"):
        RecommenderParameters(fitted=("als",), settings={"als": {"rank": 8}})
    with pytest.raises(ValidationError, match=r"settings\.als\.factors: it must be at least 1"):
        RecommenderParameters(fitted=("als",), settings={"als": {"factors": 0}})


def test_given_settings_are_those_of_the_model() -> None:
    given = {"popularity_recent": {"half_life": 0.25}}
    tune = tuning_step("popularity_recent", RecentPopularity)
    hyperparameters, trials, _ = tune(given, TUNING, TRAINING, HELD_OUT, {})
    assert hyperparameters["half_life"] == 0.25
    assert len(trials) == 1
