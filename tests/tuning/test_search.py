from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
import scipy.sparse as sp
from optuna.samplers import TPESampler
from tests.recommenders.worlds import taste_world, tiny_data

from longtail.arrays import Arrays
from longtail.recommenders.base import Recommender, TrainingData
from longtail.recommenders.collaborative.als import ALS
from longtail.recommenders.collaborative.ials import IALS
from longtail.recommenders.content.text_knn import TextKNN
from longtail.recommenders.popularity import Popularity
from longtail.recommenders.registry import MODELS
from longtail.recommenders.validation import ndcg, validation_ndcg, validation_targets
from longtail.tuning.search import TuningParameters, tune

NEWLY_SEARCHED = (
    "text_metric",
    "sequence_transformer",
    "interest_network",
    "cluster_attention",
    "rlae",
    "graph_filter",
    "l3ae",
    "l3ae_neighbours",
)


def test_ndcg_by_hand() -> None:
    relevant = sp.csr_array(np.array([[0, 1, 0, 1], [1, 0, 0, 0]]))
    values = ndcg(np.array([[0, 1, 2], [1, 2, 3]]), relevant)
    ideal = 1 + 1 / np.log2(3)
    assert values.tolist() == pytest.approx([(1 / np.log2(3)) / ideal, 0])


def test_targets_are_users_with_a_history_and_held_out_items() -> None:
    held_out = sp.csr_array(np.array([[0, 0, 1, 0], [0, 0, 0, 0], [1, 0, 0, 0]]))
    targets = validation_targets(tiny_data().histories, held_out, max_users=10, seed=0)
    assert targets.users.tolist() == [0]
    assert targets.relevant.toarray().tolist() == [[0, 0, 1, 0]]


def test_draw_of_users_is_seeded_and_bounded() -> None:
    data = taste_world(n_users=50, n_items=10, share=0.5)
    held_out = sp.csr_array(np.ones((50, 10)))
    first = validation_targets(data.histories, held_out, max_users=7, seed=3)
    again = validation_targets(data.histories, held_out, max_users=7, seed=3)
    assert len(first.users) == 7
    assert np.array_equal(first.users, again.users)


def test_tuning_returns_the_best_of_its_trials() -> None:
    data = taste_world(n_users=40, n_items=12, share=0.5)
    liked = np.arange(40)[:, None] % 2 == np.arange(12)[None, :] % 2
    held_out = sp.csr_array(liked & (data.histories.matrix().toarray() == 0))
    targets = validation_targets(data.histories, held_out, max_users=100, seed=0)
    tuned = tune(TextKNN, data, targets, TuningParameters(trials=4))
    values = [trial["validation_ndcg_at_20"] for trial in tuned.trials]
    assert len(values) == 4
    assert max(values) == pytest.approx(
        validation_ndcg(tuned.recommender, tuned.arrays, data, targets, 20)
    )
    assert tuned.trials[0]["parameters"]["neighbours"] == 30


def test_tuning_repeats_exactly() -> None:
    data = taste_world(n_users=40, n_items=12, share=0.5)
    targets = validation_targets(data.histories, sp.csr_array(np.ones((40, 12))), 100, 0)
    runs = [tune(TextKNN, data, targets, TuningParameters(trials=4)).trials for _ in range(2)]
    without_seconds = [
        [{key: trial[key] for key in trial if key != "fit_seconds"} for trial in trials]
        for trials in runs
    ]
    assert without_seconds[0] == without_seconds[1]


def test_model_without_search_space_takes_one_trial() -> None:
    data = taste_world(n_users=20, n_items=8, share=0.5)
    targets = validation_targets(data.histories, sp.csr_array(np.ones((20, 8))), 100, 0)
    assert len(tune(Popularity, data, targets, TuningParameters(trials=5)).trials) == 1


def test_als_search_starts_with_the_declared_points() -> None:
    data = taste_world(n_users=20, n_items=8, share=0.5)
    targets = validation_targets(data.histories, sp.csr_array(np.ones((20, 8))), 100, 0)
    trials = tune(ALS, data, targets, TuningParameters(trials=4)).trials
    tried = [(t["parameters"]["regularization"], t["parameters"]["alpha"]) for t in trials]
    assert tried[:2] == [(10.0, 10.0), (30.0, 40.0)]


@pytest.mark.parametrize(
    ("trials", "declared"), [(1, 1), (2, 1), (3, 1), (4, 2), (10, 5), (20, 10)]
)
def test_half_of_the_budget_is_a_search(
    trials: int, declared: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The declared points and the random settings of the sampler are its start-up."""
    start_ups = []

    def sampler(n_startup_trials: int, seed: int) -> TPESampler:
        start_ups.append(n_startup_trials)
        return TPESampler(n_startup_trials=n_startup_trials, seed=seed)

    monkeypatch.setattr("longtail.tuning.search.optuna.samplers.TPESampler", sampler)
    data = taste_world(n_users=20, n_items=8, share=0.5)
    targets = validation_targets(data.histories, sp.csr_array(np.ones((20, 8))), 100, 0)
    found = tune(QuickALS, data, targets, TuningParameters(trials=trials)).trials
    points = [dict(point) for point in ALS.starting_points]
    searched = [{name: t["parameters"][name] for name in ALS.search_space} for t in found]
    assert start_ups == [declared]
    assert searched[:declared] == points[:declared]
    assert not any(setting in points for setting in searched[declared:])


class QuickALS(ALS):
    """ALS that stops after one sweep."""

    iterations: int = 1


@pytest.mark.parametrize("name", MODELS)
def test_a_model_with_something_to_choose_is_searched(name: str) -> None:
    model = MODELS[name]
    nothing_to_choose = {"random", "popularity"}
    assert bool(model.search_space) == (name not in nothing_to_choose)
    assert bool(model.starting_points) == (name not in nothing_to_choose)
    for point in model.starting_points:
        assert point.keys() == model.search_space.keys()
        model(**point)
        for field, value in point.items():
            span = model.search_space[field]
            assert value in span if isinstance(span, list) else span[0] <= value <= span[1]


@pytest.mark.parametrize("name", NEWLY_SEARCHED)
def test_the_first_trial_is_the_default(name: str) -> None:
    model = MODELS[name]
    assert model(**model.starting_points[0]) == model()


@pytest.mark.parametrize("model", [ALS, IALS])
def test_large_factors_are_among_the_first_points(model: type[Recommender]) -> None:
    assert max(point["factors"] for point in model.starting_points[:4]) >= 256


@pytest.mark.parametrize("name", [name for name in MODELS if name.endswith("_recent")])
def test_models_with_recency_start_with_several_decays(name: str) -> None:
    points = MODELS[name].starting_points
    if name != "popularity_recent":
        assert points[0]["recency_decay"] != points[1]["recency_decay"]


def test_no_setting_is_tried_twice() -> None:
    data = taste_world(n_users=20, n_items=8, share=0.5)
    targets = validation_targets(data.histories, sp.csr_array(np.ones((20, 8))), 100, 0)
    for trials, distinct in ((6, 6), (12, 9)):  # TextKNN has nine settings.
        found = tune(TextKNN, data, targets, TuningParameters(trials=trials)).trials
        settings = {(t["parameters"]["neighbours"], t["parameters"]["sharpness"]) for t in found}
        assert len(found) == len(settings) == distinct


class Interrupted(TextKNN):
    """A model whose third fit is killed."""

    fits: ClassVar[list[int]] = []

    def fit(self, data: TrainingData) -> Arrays:
        self.fits.append(self.neighbours)
        if len(self.fits) == 3:
            raise KeyboardInterrupt
        return super().fit(data)


def test_an_interrupted_search_resumes() -> None:
    data = taste_world(n_users=40, n_items=12, share=0.5)
    targets = validation_targets(data.histories, sp.csr_array(np.ones((40, 12))), 100, 0)
    whole = tune(TextKNN, taste_world(40, 12, share=0.5), targets, TuningParameters(trials=4))
    with pytest.raises(KeyboardInterrupt):
        tune(Interrupted, data, targets, TuningParameters(trials=4))

    resumed = tune(Interrupted, data, targets, TuningParameters(trials=4))

    settings = [trial["parameters"] for trial in whole.trials]
    assert [trial["parameters"] for trial in resumed.trials] == settings
    assert resumed.recommender.model_dump() == whole.recommender.model_dump()
    for name, array in whole.arrays.items():
        np.testing.assert_array_equal(resumed.arrays[name], array)
    # Two trials, the one that was killed, the two that were left, and the best of the first two.
    assert len(Interrupted.fits) == 6


def test_a_finished_trial_is_reused_only_for_the_same_data_and_targets() -> None:
    data = taste_world(n_users=40, n_items=12, share=0.5)
    parameters = TuningParameters(trials=1)
    for n_targets in (40, 40, 30):
        held_out = sp.csr_array((np.arange(40) < n_targets)[:, None] * np.ones((40, 12)))
        targets = validation_targets(data.histories, held_out, 100, 0)
        tune(TextKNN, data, targets, parameters)
    other = replace(taste_world(40, 12, share=0.5, seed=1), checkpoints=data.checkpoints)
    tune(TextKNN, other, targets, parameters)
    assert len(data.checkpoints) == 3


def test_fixed_hyperparameters_are_not_searched() -> None:
    data = taste_world(n_users=20, n_items=8, share=0.5)
    targets = validation_targets(data.histories, sp.csr_array(np.ones((20, 8))), 100, 0)
    trials = tune(ALS, data, targets, TuningParameters(trials=4), {"alpha": 7.0}).trials
    assert [t["parameters"]["alpha"] for t in trials] == [7.0] * 4
    assert [t["parameters"]["regularization"] for t in trials[:2]] == [10.0, 30.0]
    all_given = dict.fromkeys(ALS.search_space, 7)
    assert len(tune(ALS, data, targets, TuningParameters(trials=3), all_given).trials) == 1
