"""Adaptation of vectors to behaviour: pairs by hand, and learning in a small world."""

import numpy as np
import pytest
import scipy.sparse as sp

from longtail.text.adaptation import AdaptationParameters, adapt_vectors, consumption_pairs
from longtail.text.item_tower import adapt_texts
from longtail.text.whitening import unit_length


def test_pairs_by_hand() -> None:
    users = np.array([0, 0, 0, 1, 1])
    items = np.array([3, 1, 2, 1, 0])
    pairs = consumption_pairs(users, items, window=1, tail_power=0.0)
    assert list(zip(pairs.first, pairs.second, strict=True)) == [(3, 1), (1, 2), (1, 0)]
    np.testing.assert_allclose(pairs.probabilities, [1 / 3] * 3)
    wider = consumption_pairs(users, items, window=2, tail_power=1.0)
    assert list(zip(wider.first, wider.second, strict=True))[-1] == (3, 2)
    # Item 1 was chosen twice, the others once: weights 2 ** -0.5 (three times) and 1.
    np.testing.assert_allclose(wider.probabilities[-1], 1 / (1 + 3 * 2**-0.5))


def test_without_an_order_pairs_are_random_items_of_a_history() -> None:
    """In catalogue order a window of 1 would pair each item with the next one only."""
    users, items = np.repeat([0, 1], 30), np.tile(np.arange(30), 2)
    pairs = consumption_pairs(users, items, 1, 0.0, ordered=False)
    assert len(pairs.first) == 58
    distance = np.abs(pairs.first - pairs.second)
    assert (distance == 1).mean() < 0.3
    assert distance.mean() > 5
    again = consumption_pairs(users, items, 1, 0.0, ordered=False)
    np.testing.assert_array_equal(pairs.first, again.first)


@pytest.fixture(scope="module")
def world() -> tuple[np.ndarray, sp.csr_array, np.ndarray, np.ndarray]:
    """Items of four kinds, each marked by one word among random ones; a user likes one kind."""
    generator = np.random.default_rng(0)
    kinds = np.arange(80) % 4
    vectors = unit_length(generator.normal(size=(80, 16)).astype(np.float32))
    words = (generator.random((80, 30)) < 0.2).astype(np.float32)
    words[:, :4] = np.eye(4)[kinds]
    users = np.repeat(np.arange(200), 6)
    # The last twenty items are new.
    items = np.concatenate(
        [generator.choice(np.flatnonzero(kinds[:60] == user % 4), 6, False) for user in range(200)]
    )
    return vectors, sp.csr_array(words), users, items


PARAMETERS = AdaptationParameters(epochs=30, batch_size=64, learning_rate=0.01)


def same_kind_share(vectors: np.ndarray, rows: np.ndarray) -> float:
    """Return the share of an item's five nearest items that are of its kind."""
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -1)
    nearest = np.argsort(-cosines, axis=1)[rows, :5]
    return float((nearest % 4 == rows[:, None] % 4).mean())


def test_new_items_move_to_their_kind(world: tuple) -> None:
    vectors, words, users, items = world
    pairs = consumption_pairs(users, items, PARAMETERS.window, PARAMETERS.tail_power)
    adapted, losses, _ = adapt_vectors(vectors, words, pairs, PARAMETERS)

    np.testing.assert_allclose(np.linalg.norm(adapted, axis=1), 1, atol=1e-5)
    assert adapted.dtype == np.float32
    assert losses[-10:].mean() < losses[:10].mean()
    new = np.arange(60, 80)
    assert same_kind_share(vectors, new) < 0.45
    assert same_kind_share(adapted, new) > 0.8


def test_adaptation_repeats_exactly(world: tuple) -> None:
    vectors, words, users, items = world
    pairs = consumption_pairs(users, items, 2, 0.5)
    parameters = AdaptationParameters(max_steps=20, batch_size=32)
    runs = [adapt_vectors(vectors, words, pairs, parameters) for _ in range(2)]
    (first, first_losses, first_learned), (second, losses, learned) = runs
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(first_losses, losses)
    assert all(np.array_equal(learned[name], array) for name, array in first_learned.items())


def test_a_later_text_gets_the_vector_of_an_item_with_this_text(world: tuple) -> None:
    vectors, words, users, items = world
    pairs = consumption_pairs(users, items, 2, 0.5)
    parameters = AdaptationParameters(max_steps=20, batch_size=32)
    adapted, _, learned = adapt_vectors(vectors, words, pairs, parameters)
    # Words that only new items have were never trained.
    assert len(learned["token_ids"]) <= words.shape[1]
    np.testing.assert_allclose(adapt_texts(learned, vectors, words), adapted, atol=1e-5)


def test_a_text_without_known_words_keeps_its_meaning(world: tuple) -> None:
    vectors, words, users, items = world
    without = words.toarray()
    without[70] = 0
    pairs = consumption_pairs(users, items, 2, 0.5)
    parameters = AdaptationParameters(max_steps=5, batch_size=32)
    adapted, _, _ = adapt_vectors(vectors, sp.csr_array(without), pairs, parameters)
    assert np.isfinite(adapted).all()
    assert adapted[70] @ vectors[70] > 0.9
