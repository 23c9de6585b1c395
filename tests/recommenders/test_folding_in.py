"""Folding in: users that a model was not fitted on."""

import contextlib
import io
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from implicit.cpu.als import AlternatingLeastSquares
from irspack import IALSRecommender
from tests.recommenders.worlds import histories_of, taste_world, tiny_data, with_items

from longtail.behaviour.histories import Histories
from longtail.recommenders.base import Recommender, TrainingData
from longtail.recommenders.collaborative.als import ALS, RecentALS
from longtail.recommenders.collaborative.factors import gram_of, solve_user_factors
from longtail.recommenders.collaborative.ials import IALS
from longtail.recommenders.collaborative.item_knn import ItemKNN
from longtail.recommenders.content.feature_ials import FeatureIALS, RecentFeatureIALS
from longtail.recommenders.content.text_metric import TextMetric
from longtail.recommenders.content.text_profile import TextProfile
from longtail.recommenders.registry import MODELS


@pytest.fixture(scope="module")
def world() -> TrainingData:
    return taste_world(60, 30, share=0.5)


@pytest.fixture(scope="module")
def newcomers(world: TrainingData) -> TrainingData:
    """Three users: with four even items, with one odd item, with none."""
    pairs = np.array([[0, 0], [0, 4], [0, 8], [0, 12], [1, 3]])
    own = histories_of(pairs, 3, 30)
    return replace(world, histories=replace(own, reference=world.histories))


def test_one_factor_solved_by_hand() -> None:
    # (1 * (1 + 4) + 2 * 1 + 3) x = 5 * 1
    confidence = sp.csr_array(np.array([[2.0, 0.0]]))
    response = sp.csr_array(np.array([[5.0, 0.0]]))
    factors = np.array([[1.0], [2.0]], dtype=np.float32)
    arrays = {"item_factors": factors, **gram_of(factors)}
    solved = solve_user_factors(arrays, confidence, response, np.array([3.0]))
    np.testing.assert_allclose(solved, [[0.5]])


@pytest.mark.parametrize("n_factors", [2, 12])
def test_users_of_any_history_length_solve_their_equations(n_factors: int) -> None:
    # Histories shorter and longer than the number of factors, one empty; weights of both signs.
    random = np.random.default_rng(0)
    factors = random.normal(size=(9, n_factors)).astype(np.float32)
    there = np.arange(9) < np.array([0, 1, 3, 9])[:, None]
    confidence = np.where(there, random.uniform(-0.1, 3.0, there.shape), 0.0)
    response = np.where(there, random.uniform(0.5, 2.0, there.shape), 0.0)
    penalty, all_pairs = np.array([1.0, 2.0, 3.0, 4.0]), 0.3
    solved = solve_user_factors(
        {"item_factors": factors, **gram_of(factors)},
        sp.csr_array(confidence),
        sp.csr_array(response),
        penalty,
        all_pairs,
    )
    for user, own in enumerate(confidence):
        system = factors.T @ np.diag(all_pairs + own) @ factors + penalty[user] * np.eye(n_factors)
        expected = np.linalg.solve(system, factors.T @ response[user])
        np.testing.assert_allclose(solved[user], expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("plain", "recent"),
    [
        (ALS(factors=6), RecentALS(factors=6, recency_decay=0.1)),
        (FeatureIALS(factors=6), RecentFeatureIALS(factors=6, recency_decay=0.1)),
    ],
)
def test_latest_items_weigh_most_where_taste_has_changed(
    plain: Recommender, recent: Recommender, world: TrainingData
) -> None:
    # Three even items, then two odd ones: all behaviour leans to even items, the latest to odd.
    pairs = np.array([[0, 0], [0, 4], [0, 8], [0, 5], [0, 9]])
    turned = replace(
        world, histories=replace(histories_of(pairs, 1, 30), reference=world.histories)
    )
    arrays = plain.fit(world)
    np.testing.assert_array_equal(recent.fit(world)["item_factors"], arrays["item_factors"])

    def lean_to_odd(model: Recommender) -> float:
        scores = model.score(model.fold_in(arrays, turned), turned, np.array([0]))[0]
        return float(scores[1::2].mean() - scores[::2].mean())

    assert lean_to_odd(plain) < 0 < lean_to_odd(recent)


def test_als_factors_are_those_of_the_library(world: TrainingData, newcomers: TrainingData) -> None:
    model = ALS(factors=6, regularization=0.5, alpha=5.0)
    arrays = model.fit(world)
    library = AlternatingLeastSquares(factors=6, regularization=0.5, alpha=5.0)
    library.item_factors = arrays["item_factors"]
    expected = library.recalculate_user(np.arange(3), sp.csr_matrix(newcomers.histories.matrix()))
    solved = model.fold_in(arrays, newcomers)["user_factors"]
    np.testing.assert_allclose(solved[:2], expected[:2], rtol=1e-3, atol=1e-5)
    assert not solved[2].any()


def test_ials_factors_are_those_of_the_library(
    world: TrainingData, newcomers: TrainingData
) -> None:
    model = IALS(factors=6, regularization=0.01, unobserved_weight=0.2)
    library = IALSRecommender(
        sp.csr_matrix(world.histories.matrix()),
        n_components=6,
        reg=0.01,
        alpha0=0.2,
        train_epochs=12,
        random_seed=world.seed,
        n_threads=1,
    )
    with contextlib.redirect_stdout(io.StringIO()):
        library.learn()
    expected = library.compute_user_embedding(sp.csr_matrix(newcomers.histories.matrix()))
    solved = model.fold_in(model.fit(world), newcomers)["user_factors"]
    np.testing.assert_allclose(solved, expected, rtol=1e-2, atol=1e-4)


# The ranker needs a language model: its own tests bring one.
@pytest.mark.parametrize("name", sorted(MODELS.keys() - {"random", "language_model_ranker"}))
def test_every_model_serves_users_it_was_not_fitted_on(
    world: TrainingData, newcomers: TrainingData, name: str
) -> None:
    graph = world.items.text_neighbours
    world, newcomers = (
        with_items(data, tfidf_neighbours=graph, frozen_neighbours=graph)
        for data in (world, newcomers)
    )
    model: Recommender = MODELS[name]()
    scores = model.score(model.fold_in(model.fit(world), newcomers), newcomers, np.arange(3))
    assert scores.shape == (3, 30)
    assert np.isfinite(scores).all()
    if name not in {"popularity", "popularity_recent"}:
        unseen_even, odd = np.arange(2, 30, 4), np.arange(1, 30, 2)
        assert scores[0, unseen_even].mean() > scores[0, odd].mean()


def test_counts_are_those_of_the_users_that_were_fitted() -> None:
    fitted = tiny_data().histories
    own = Histories(
        fitted.user_ids[:1],
        fitted.item_ids,
        np.array([0], np.int32),
        np.array([3], np.int32),
        np.ones(1, np.float32),
        np.zeros(1),
        reference=fitted,
    )
    np.testing.assert_array_equal(own.item_counts(), fitted.item_counts())
    np.testing.assert_array_equal(own.recent_counts(0.5), fitted.recent_counts(0.5))
    np.testing.assert_array_equal(own.history_lengths(), [1])


@pytest.mark.parametrize(
    "recommender",
    [
        ALS(factors=4, regularization=1.0, iterations=200),
        IALS(factors=4, epochs=200),
        FeatureIALS(factors=4, epochs=200),
        TextProfile(),
        TextMetric(dimensions=8),
        ItemKNN(),
    ],
    ids=lambda recommender: type(recommender).__name__,
)
def test_a_known_history_folded_in_scores_as_fitted(
    world: TrainingData, recommender: Recommender
) -> None:
    histories, user = world.histories, 5
    own = histories.users == user
    alone = Histories(
        user_ids=np.array(["unknown"], dtype=object),
        item_ids=histories.item_ids,
        users=np.zeros(own.sum(), np.int32),
        items=histories.items[own],
        weights=histories.weights[own],
        timestamps=histories.timestamps[own],
        reference=histories,
    )
    data = replace(world, histories=alone)
    arrays = recommender.fit(world)
    expected = recommender.score(arrays, world, np.array([user]))
    scores = recommender.score(recommender.fold_in(arrays, data), data, np.array([0]))
    np.testing.assert_allclose(scores, expected, atol=0.02 * np.abs(expected).max())
