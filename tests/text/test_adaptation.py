"""Adaptation of vectors to behaviour: draws by hand, and learning in a small world."""

import numpy as np
import pytest
import scipy.sparse as sp

from longtail.recommenders.item_relations import partial_correlations
from longtail.studies.control_vectors import item_with_the_text
from longtail.text.adaptation import AdaptationParameters, adapt_vectors, draw_related
from longtail.text.item_tower import adapt_texts
from longtail.text.whitening import unit_length

# Enough that the relations of the sixty items are more than noise.
N_USERS = 2000


def test_all_items_are_drawn_alike_with_those_related_to_them() -> None:
    # Item 0 is related to 1 and, three times as much, to 2; item 3 to nothing.
    weights = sp.csr_array(
        np.array([[0, 1, 3, 0], [1, 0, 0, 0], [3, 0, 0, 0], [0, 0, 0, 0]], dtype=np.float32)
    )
    generator = np.random.default_rng(0)
    drawn = [tuple(batch.tolist()) for batch in draw_related(weights, 3000, 1, generator)]
    shares = {pair: drawn.count(pair) / 3000 for pair in set(drawn)}
    # A pair is 0 with 1 or 2 in a third of the draws, 1 with 0 and 2 with 0 in a third each.
    assert shares[0, 1] == pytest.approx(1 / 3 + 1 / 12, abs=0.03)
    assert shares[0, 2] == pytest.approx(1 / 3 + 3 / 12, abs=0.03)
    assert set(shares) == {(0, 1), (0, 2)}


def test_without_related_items_nothing_is_drawn() -> None:
    none = sp.csr_array((4, 4), dtype=np.float32)
    assert list(draw_related(none, 5, 2, np.random.default_rng(0))) == []


@pytest.fixture(scope="module")
def world() -> tuple[np.ndarray, sp.csr_array, np.ndarray, np.ndarray]:
    """Items of four kinds, each marked by one word among random ones; a user likes one kind."""
    generator = np.random.default_rng(0)
    kinds = np.arange(80) % 4
    vectors = unit_length(generator.normal(size=(80, 16)).astype(np.float32))
    words = (generator.random((80, 30)) < 0.2).astype(np.float32)
    words[:, :4] = np.eye(4)[kinds]
    users = np.repeat(np.arange(N_USERS), 6)
    # The last twenty items are new.
    items = np.concatenate(
        [
            generator.choice(np.flatnonzero(kinds[:60] == user % 4), 6, False)
            for user in range(N_USERS)
        ]
    )
    return vectors, sp.csr_array(words), users, items


# All items of a kind are equally related; sharpening would bring out what is noise in this world.
PARAMETERS = AdaptationParameters(batch_size=64, learning_rate=0.01, sharpness=1.0)


def relations(users: np.ndarray, items: np.ndarray) -> sp.csr_array:
    """Return how the eighty items are related in the histories."""
    ones = np.ones(len(users), dtype=np.float32)
    return partial_correlations(
        sp.csr_array((ones, (users, items)), shape=(N_USERS, 80)), 100.0, 80
    )


def same_kind_share(vectors: np.ndarray, rows: np.ndarray) -> float:
    """Return the share of an item's five nearest items that are of its kind."""
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -1)
    nearest = np.argsort(-cosines, axis=1)[rows, :5]
    return float((nearest % 4 == rows[:, None] % 4).mean())


def test_new_items_move_to_their_kind(world: tuple) -> None:
    vectors, words, users, items = world
    adapted, losses, _ = adapt_vectors(vectors, words, relations(users, items), PARAMETERS)

    np.testing.assert_allclose(np.linalg.norm(adapted, axis=1), 1, atol=1e-5)
    assert adapted.dtype == np.float32
    assert losses[-10:].mean() < losses[:10].mean()
    new = np.arange(60, 80)
    assert same_kind_share(vectors, new) < 0.45
    assert same_kind_share(adapted, new) > 0.8


def test_texts_of_other_items_teach_nothing_about_new_ones(world: tuple) -> None:
    vectors, words, users, items = world
    giver = item_with_the_text(vectors, seed=3)
    adapted, _, _ = adapt_vectors(vectors[giver], words[giver], relations(users, items), PARAMETERS)
    assert same_kind_share(adapted, np.arange(60, 80)) < 0.45


def test_adaptation_repeats_exactly(world: tuple) -> None:
    vectors, words, users, items = world
    parameters = AdaptationParameters(steps=20, batch_size=32)
    runs = [adapt_vectors(vectors, words, relations(users, items), parameters) for _ in range(2)]
    (first, first_losses, first_learned), (second, losses, learned) = runs
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(first_losses, losses)
    assert all(np.array_equal(learned[name], array) for name, array in first_learned.items())


def test_a_later_text_gets_the_vector_of_an_item_with_this_text(world: tuple) -> None:
    vectors, words, users, items = world
    parameters = AdaptationParameters(steps=20, batch_size=32)
    adapted, _, learned = adapt_vectors(vectors, words, relations(users, items), parameters)
    # Words that only new items have were never trained.
    assert len(learned["token_ids"]) <= words.shape[1]
    np.testing.assert_allclose(adapt_texts(learned, vectors, words), adapted, atol=1e-5)


def test_a_text_without_known_words_keeps_its_meaning(world: tuple) -> None:
    vectors, words, users, items = world
    without = words.toarray()
    without[70] = 0
    parameters = AdaptationParameters(steps=5, batch_size=32)
    adapted, _, _ = adapt_vectors(
        vectors, sp.csr_array(without), relations(users, items), parameters
    )
    assert np.isfinite(adapted).all()
    assert adapted[70] @ vectors[70] > 0.9


def test_items_that_only_happen_to_meet_are_not_drawn_together(world: tuple) -> None:
    """Every user also has item 0, which says nothing about what else they like."""
    vectors, words, users, items = world
    everyone = np.arange(N_USERS)
    users = np.concatenate([users, everyone])
    items = np.concatenate([items, np.zeros(N_USERS, dtype=np.int64)])
    order = np.argsort(users, kind="stable")
    users, items = users[order], items[order]
    adapted, _, _ = adapt_vectors(vectors, words, relations(users, items), PARAMETERS)
    others = np.arange(1, 60)
    same, different = others[others % 4 == 0], others[others % 4 != 0]
    assert adapted[0] @ adapted[different].mean(axis=0) < adapted[0] @ adapted[same].mean(axis=0)


def test_without_relations_nothing_is_learned(world: tuple) -> None:
    vectors, words, _, _ = world
    none = sp.csr_array((80, 80), dtype=np.float32)
    parameters = AdaptationParameters(steps=3, batch_size=32)
    adapted, losses, _ = adapt_vectors(vectors, words, none, parameters)
    assert len(losses) == 0
    np.testing.assert_allclose(adapted, vectors, atol=1e-6)
