import logging
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from longtail.arrays import Arrays
from longtail.errors import NotApplicableError, UserError
from longtail.models.base import Recommender, TrainingData
from longtail.models.popularity import Popularity
from longtail.models.recent_popularity import RecentPopularity
from longtail.models.tuning import TuningParameters
from longtail.pipelines.recommenders import (
    RecommenderParameters,
    fitted_models,
    recommend_items,
    refit_recommender,
    tune_recommender,
)

TUNING = TuningParameters(trials=2)
CHOICE = RecommenderParameters(fitted=("popularity",))


class TooLarge(Recommender):
    """A model that the data do not allow."""

    def fit(self, data: TrainingData) -> Arrays:  # noqa: ARG002
        raise NotApplicableError("TooLarge was left out: three items are too many.")

    def score(self, *_: Any) -> Any:
        raise AssertionError


@pytest.fixture
def tables() -> dict[str, Any]:
    def interactions(*pairs: str) -> pd.DataFrame:
        table = pd.DataFrame([pair.split() for pair in pairs], columns=["user_id", "item_id"])
        return table.assign(timestamp=1, weight=1.0)

    return {
        "train": interactions("u a", "v a", "v b"),
        "validation": interactions("u b"),
        "item_groups": pd.DataFrame({"item_id": ["a", "b", "c"]}),
        "user_groups": pd.DataFrame({"user_id": ["u", "v"]}),
        "checkpoints": {},
    }


def test_a_model_that_the_data_do_not_allow_is_left_out_with_a_sentence(
    tables: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        hyperparameters, trials, arrays = tune_recommender(
            "popularity", TooLarge, CHOICE, TUNING, **tables
        )
    assert caplog.messages == ["TooLarge was left out: three items are too many."]
    assert hyperparameters == {"not_applicable": "TooLarge was left out: three items are too many."}
    assert (trials, arrays) == ([], {})
    assert refit_recommender(TooLarge, hyperparameters, TUNING, **tables) == {}
    lists = recommend_items(
        TooLarge, hyperparameters, {}, tables["validation"], 10, TUNING, **tables
    )
    assert lists.columns.to_list() == ["user_id", "item_id", "rank", "score"]
    assert len(lists) == 0


def test_a_model_that_only_the_refit_does_not_allow_is_left_out_too(
    tables: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        assert refit_recommender(TooLarge, {}, TUNING, **tables) == {}
    assert len(caplog.messages) == 1


def test_a_source_that_the_data_do_not_allow_is_left_out() -> None:
    parts = {"popularity_hyperparameters": {"not_applicable": "..."}, "popularity_arrays": {}}
    assert fitted_models({"popularity": Popularity}, ("popularity",), parts) == {}


def test_a_source_that_nobody_wanted_to_fit_is_named() -> None:
    parts = {"popularity_hyperparameters": {"not_wanted": "..."}, "popularity_arrays": {}}
    with pytest.raises(UserError, match=r"'popularity'.*recommenders\.fitted.*hybrid\.sources"):
        fitted_models({"popularity": Popularity}, ("popularity",), parts)


def test_a_model_is_tuned_refitted_and_recommends(tables: dict[str, Any]) -> None:
    hyperparameters, trials, _ = tune_recommender(
        "popularity", Popularity, CHOICE, TUNING, **tables
    )
    arrays = refit_recommender(Popularity, hyperparameters, TUNING, **tables)
    np.testing.assert_array_equal(arrays["item_scores"], [2, 2, 0])
    lists = recommend_items(
        Popularity, hyperparameters, arrays, tables["validation"], 10, TUNING, **tables
    )
    # The user has a and b already.
    assert lists["item_id"].to_list() == ["c"]
    assert len(trials) == 1


def test_a_model_that_is_not_wanted_is_not_fitted(tables: dict[str, Any]) -> None:
    hyperparameters, trials, arrays = tune_recommender("als", Popularity, CHOICE, TUNING, **tables)
    assert hyperparameters == {"not_wanted": "als is not in the parameter recommenders.fitted."}
    assert (trials, arrays) == ([], {})


def test_an_unknown_model_is_named_before_anything_runs() -> None:
    with pytest.raises(ValidationError, match=r"recommenders\.fitted names alss; there are random"):
        RecommenderParameters(fitted=("alss",))
    with pytest.raises(ValidationError, match=r"recommenders\.settings names alss; there"):
        RecommenderParameters(fitted=(), settings={"alss": {}})


def test_a_setting_that_a_model_does_not_have_is_named_before_anything_runs() -> None:
    with pytest.raises(ValidationError, match=r"settings\.als\.rank: .* als has factors"):
        RecommenderParameters(fitted=("als",), settings={"als": {"rank": 8}})
    with pytest.raises(ValidationError, match=r"settings\.als\.factors: Input should"):
        RecommenderParameters(fitted=("als",), settings={"als": {"factors": 0}})


def test_given_settings_are_those_of_the_model(tables: dict[str, Any]) -> None:
    given = {"popularity_recent": {"half_life": 0.25}}
    choice = RecommenderParameters(fitted=("popularity_recent",), settings=given)
    hyperparameters, trials, _ = tune_recommender(
        "popularity_recent", RecentPopularity, choice, TUNING, **tables
    )
    assert hyperparameters["half_life"] == 0.25
    assert len(trials) == 1
