"""EASE, RLAE, L3AE and the graph filter against their formulas in dense numpy."""

from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError
from tests.recommenders.worlds import histories_of, taste_world, tiny_data

from longtail.behaviour.histories import Histories
from longtail.errors import NotApplicableError
from longtail.item_graphs.graphs import nearest_by_cosine
from longtail.recommenders.base import Recommender, TrainingData
from longtail.recommenders.collaborative.ease import EASE, RLAE
from longtail.recommenders.collaborative.graph_filter import GraphFilter
from longtail.recommenders.content.l3ae import L3AE, NeighbourL3AE
from longtail.recommenders.item_features import ItemFeatures
from longtail.recommenders.linear_autoencoder import dense_inverse, sparse_inverse
from longtail.text.whitening import unit_length

N_WARM, N_ITEMS = 12, 15


@pytest.fixture(scope="module")
def world() -> TrainingData:
    """40 users, 12 items with interactions, three without; the text shows the kind of an item."""
    return taste_world(40, N_WARM, share=0.6, new_items=N_ITEMS - N_WARM)


def weights_of(model: Recommender, data: TrainingData) -> np.ndarray:
    """Return the (n_items, n_items) weights: the scores of users who have one item each."""
    n_items = data.histories.n_items
    single = histories_of(np.stack([np.arange(n_items)] * 2, axis=1), n_items, n_items)
    ones = replace(data, histories=replace(single, reference=data.histories))
    return model.score(model.fit(data), ones, np.arange(n_items))


def gram_of(data: TrainingData) -> np.ndarray:
    held = (data.histories.matrix().toarray() > 0).astype(np.float64)
    return held.T @ held


def text_target(vectors: np.ndarray, penalty: float) -> np.ndarray:
    """Return the (warm, all) target: item j is regressed on the other items with interactions."""
    target = np.zeros((N_WARM, len(vectors)))
    for item in range(len(vectors)):
        others = np.array([other for other in range(N_WARM) if other != item])
        known = vectors[others].astype(np.float64)
        system = known @ known.T + penalty * np.eye(len(others))
        target[others, item] = np.linalg.solve(system, known @ vectors[item])
    return target


def neighbour_target(graph: np.ndarray, sharpness: float) -> np.ndarray:
    target = np.maximum(graph, graph.T)[:N_WARM] ** sharpness
    sums = target.sum(axis=0)
    return target / np.where(sums > 0, sums, 1)


def constrained(gram: np.ndarray, target: np.ndarray, ridge: float, pull: float) -> np.ndarray:
    """Minimise ||X - XB||^2 + ridge ||B||^2 + pull ||B - C||^2 column by column, B_jj = 0."""
    weights = np.zeros_like(target)
    for item in range(target.shape[1]):
        free = np.array([other for other in range(len(target)) if other != item])
        system = gram[np.ix_(free, free)] + (ridge + pull) * np.eye(len(free))
        wanted = gram[free, item] if item < len(target) else 0
        weights[free, item] = np.linalg.solve(system, wanted + pull * target[free, item])
    return weights


L3AES = [
    L3AE(regularization=2.0, target_weight=5.0, text_regularization=0.7),
    L3AE(regularization=0.0, target_weight=3.0, text_regularization=0.1),
    NeighbourL3AE(regularization=2.0, target_weight=5.0, sharpness=2.0),
    NeighbourL3AE(regularization=0.0, target_weight=3.0, sharpness=1.0),
]


def target_of(model: L3AE | NeighbourL3AE, data: TrainingData) -> np.ndarray:
    if isinstance(model, L3AE):
        return text_target(data.items.vectors, model.text_regularization)
    return neighbour_target(data.items.text_neighbours.toarray(), model.sharpness)


@pytest.mark.parametrize("model", L3AES, ids=repr)
def test_l3ae_is_the_constrained_minimum(model: L3AE | NeighbourL3AE, world: TrainingData) -> None:
    gram = gram_of(world)[:N_WARM, :N_WARM]
    expected = constrained(gram, target_of(model, world), model.regularization, model.target_weight)
    weights = weights_of(model, world)
    np.testing.assert_allclose(weights[:N_WARM], expected, atol=2e-5)
    np.testing.assert_allclose(np.diag(weights), 0, atol=2e-5)


def test_l3ae_by_hand() -> None:
    """Two items, a twice and b once together; their vectors have the cosine 0.6."""
    vectors = np.array([[1, 0], [0.6, 0.8]], dtype=np.float32)
    histories = histories_of(np.array([[0, 0], [0, 1], [1, 0]]), 2, 2)
    data = TrainingData(histories, ItemFeatures(vectors, nearest_by_cosine(vectors, 1)))
    # By text c_ab = 0.6 / (1 + 1), with behaviour b_ab = (g_ab + 2 c_ab) / (g_aa + 2).
    model = L3AE(regularization=0.0, target_weight=2.0, text_regularization=1.0)
    expected = [[0, 1.6 / 4], [1.6 / 3, 0]]
    np.testing.assert_allclose(weights_of(model, data), expected, atol=1e-6)
    # The only neighbour has all of the column.
    neighbours = NeighbourL3AE(regularization=0.0, target_weight=2.0)
    np.testing.assert_allclose(weights_of(neighbours, data), [[0, 3 / 4], [1, 0]], atol=1e-6)


@pytest.mark.parametrize("kind", [L3AE, NeighbourL3AE])
def test_l3ae_without_a_target_is_ease(
    kind: type[L3AE] | type[NeighbourL3AE], world: TrainingData
) -> None:
    model = kind(regularization=4.0, target_weight=0.0, recency_decay=0.7)
    ease = EASE(regularization=4.0, recency_decay=0.7)
    users = np.arange(40)
    scores = model.score(model.fit(world), world, users)
    expected = ease.score(ease.fit(world), world, users)
    np.testing.assert_allclose(scores, expected, atol=1e-5)
    with pytest.raises(ValidationError, match="must not both be 0"):
        kind(regularization=0.0, target_weight=0.0)


@pytest.mark.parametrize("model", L3AES, ids=repr)
def test_items_without_interactions_are_scored_by_their_text(
    model: L3AE | NeighbourL3AE, world: TrainingData
) -> None:
    """Users of even items see the even one of the new items before the odd ones."""
    even, odd = np.arange(0, 40, 2), np.arange(1, 40, 2)
    scores = model.score(model.fit(world), world, np.arange(40))[:, N_WARM:]
    assert (scores != 0).any(axis=0).all()
    assert scores[even][:, [0, 2]].mean() > scores[even, 1].mean()
    assert scores[odd, 1].mean() > scores[odd][:, [0, 2]].mean()


@pytest.mark.parametrize("model", L3AES, ids=repr)
def test_an_item_without_text_is_scored_by_behaviour_alone(
    model: L3AE | NeighbourL3AE, world: TrainingData
) -> None:
    vectors = world.items.vectors.copy()
    vectors[[3, 14]] = 0
    data = replace(world, items=ItemFeatures(vectors, nearest_by_cosine(vectors, 100)))
    weights = weights_of(model, data)
    assert np.isfinite(weights).all()
    assert np.abs(weights[:N_WARM, 3]).max() > 0.01
    np.testing.assert_allclose(weights[:, 14], 0, atol=1e-6)


def test_rlae_is_the_minimum_with_a_bounded_diagonal(world: TrainingData) -> None:
    gram = gram_of(world)[:N_WARM, :N_WARM]
    penalty, bound = 3.0, 0.4
    ridge = np.linalg.solve(gram + penalty * np.eye(N_WARM), gram)
    expected = ridge.copy()
    for item in np.flatnonzero(np.diag(ridge) > bound):
        others = np.arange(N_WARM) != item
        system = gram[others][:, others] + penalty * np.eye(N_WARM - 1)
        expected[others, item] = np.linalg.solve(system, (1 - bound) * gram[others, item])
        expected[item, item] = bound
    weights = RLAE(regularization=penalty, diagonal=bound).fit(world)["weights"]
    np.testing.assert_allclose(weights, expected, atol=2e-5)
    assert weights.diagonal().max() <= bound


def test_rlae_keeps_the_weights_of_ridge_regression_where_the_bound_does_not_bind(
    world: TrainingData,
) -> None:
    gram = gram_of(world)[:N_WARM, :N_WARM]
    weights = RLAE(regularization=500.0, diagonal=0.9).fit(world)["weights"]
    ridge = np.linalg.solve(gram + 500 * np.eye(N_WARM), gram)
    np.testing.assert_allclose(weights, ridge, atol=1e-5)


def test_rlae_with_bound_0_is_ease(world: TrainingData) -> None:
    weights = RLAE(regularization=3.0, diagonal=0.0).fit(world)["weights"]
    np.testing.assert_allclose(weights, EASE(regularization=3.0).fit(world)["weights"], atol=1e-6)


MODELS = [
    EASE(regularization=3.0, recency_decay=0.7),
    RLAE(regularization=3.0, diagonal=0.4),
    *L3AES,
]


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_the_sparse_form_with_all_neighbours_is_the_dense_one(
    model: Recommender, world: TrainingData
) -> None:
    sparse = model.model_copy(update={"exact_up_to": N_WARM - 1, "inverse_neighbours": N_WARM})
    arrays, users = sparse.fit(world), np.arange(40)
    assert "weights" not in arrays
    assert "inverse" not in arrays
    expected = model.score(model.fit(world), world, users)
    np.testing.assert_allclose(sparse.score(arrays, world, users), expected, atol=2e-5)


def test_a_column_of_the_sparse_inverse_solves_its_neighbours_alone() -> None:
    data = taste_world(200, 30, share=0.4, seed=2)
    behaviour = data.histories.matrix()
    approximate = sparse_inverse(behaviour, 2.0, neighbours=5).toarray()
    system = gram_of(data) + 2 * np.eye(30)
    for item in range(30):
        held = np.flatnonzero(approximate[:, item])
        assert len(held) <= 6
        column = np.linalg.inv(system[np.ix_(held, held)])[:, held == item][:, 0]
        np.testing.assert_allclose(approximate[held, item], column, rtol=1e-4)


def test_the_dense_inverse_is_symmetric_across_its_blocks() -> None:
    """More items than are handled at once."""
    held = np.random.default_rng(0).random((300, 1500)) < 0.02
    pairs = np.argwhere(held)
    behaviour = histories_of(pairs, 300, 1500).matrix()
    inverse = dense_inverse(behaviour, 5.0)
    np.testing.assert_array_equal(inverse, inverse.T)
    system = (behaviour.T @ behaviour).toarray() + 5 * np.eye(1500)
    np.testing.assert_allclose(system @ inverse, np.eye(1500), atol=1e-4)


def test_a_singular_system_leaves_the_model_out(world: TrainingData) -> None:
    with pytest.raises(NotApplicableError, match=r"^EASE is left out: .* singular at ridge"):
        EASE(regularization=1e-30).fit(replace(world, histories=_twins()))


def _twins() -> Histories:
    """Two items that the same users have."""
    return histories_of(np.array([[user, item] for user in range(3) for item in (0, 1)]), 3, 2)


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_graph_filter_is_its_formula(degree: int, world: TrainingData) -> None:
    held = (world.histories.matrix().toarray() > 0)[:, :N_WARM].astype(np.float64)
    users, items = held.sum(axis=1), held.sum(axis=0)
    normalised = np.where(users > 0, users, 1)[:, None] ** -0.3 * held * items**-0.7
    graph = (normalised.T @ normalised) ** 1.5
    expected = {
        1: graph,
        2: 2 * graph - graph @ graph,
        3: graph + 0.01 * (-graph @ graph @ graph + 10 * graph @ graph - 29 * graph),
    }[degree]
    model = GraphFilter(user_exponent=0.3, sharpness=1.5, degree=degree, recency_decay=1.0)
    arrays = model.fit(world)
    np.testing.assert_allclose(arrays["graph"][:N_WARM, :N_WARM], graph, rtol=1e-4, atol=1e-6)
    scores = model.score(arrays, world, np.arange(40))
    np.testing.assert_allclose(scores[:, :N_WARM], held @ expected, rtol=1e-4, atol=1e-5)
    assert not scores[:, N_WARM:].any()


@pytest.mark.parametrize("kind", [EASE, RLAE, GraphFilter, L3AE, NeighbourL3AE])
def test_a_model_is_left_out_for_a_large_catalogue(
    kind: type[Recommender], world: TrainingData
) -> None:
    with pytest.raises(
        NotApplicableError, match=rf"^{kind.__name__} is left out: 12 items.* of 11"
    ):
        kind(max_items=11).fit(world)


@pytest.mark.parametrize("model", [*MODELS, GraphFilter()], ids=repr)
def test_a_user_without_a_history_has_no_scores(model: Recommender, world: TrainingData) -> None:
    histories = histories_of(np.argwhere(np.ones((3, N_WARM))), 4, N_ITEMS)
    scores = model.score(model.fit(world), replace(world, histories=histories), np.array([3]))
    np.testing.assert_allclose(scores, 0, atol=1e-7)


def test_recency_weighs_the_history() -> None:
    data = tiny_data()
    data = replace(data, items=replace(data.items, vectors=unit_length(data.items.vectors)))
    plain, recent = L3AE(recency_decay=1.0), L3AE(recency_decay=0.5)
    arrays = plain.fit(data)
    scores = [model.score(arrays, data, np.array([1]))[0] for model in (plain, recent)]
    single = weights_of(plain, data)
    np.testing.assert_allclose(scores[0], single[[0, 1, 2]].sum(axis=0), atol=1e-5)
    expected = np.array([0.25, 0.5, 1]) @ single[[0, 1, 2]]
    np.testing.assert_allclose(scores[1], expected, atol=1e-5)
