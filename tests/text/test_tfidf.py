import numpy as np
import pandas as pd
import pytest

from longtail.text.tfidf import tfidf_vectors
from longtail.text.whitening import unit_length

TEXTS = pd.Series(["red rose", "rose garden", "drum kit", "flute", "", "unseen words rose"])
REFERENCE = np.array([True, True, True, True, False, False])


def test_texts_that_share_a_word_are_near() -> None:
    units = unit_length(tfidf_vectors(TEXTS, REFERENCE, dimensions=4, seed=0))
    cosines = units @ units.T
    assert cosines[0, 1] > 0.1
    assert cosines[0, 2] == pytest.approx(0, abs=1e-6)
    # Only "rose" of the last text is a word of the training period.
    assert cosines[0, 5] == pytest.approx(cosines[1, 5], abs=1e-5)
    assert not units[4].any()


def test_later_items_do_not_change_the_fit() -> None:
    later = TEXTS.copy()
    later[5] = "comet orbit"
    first = tfidf_vectors(TEXTS, REFERENCE, dimensions=4, seed=0)
    second = tfidf_vectors(later, REFERENCE, dimensions=4, seed=0)
    np.testing.assert_array_equal(first[:5], second[:5])
    assert not second[5].any()


def test_dimensions_are_bounded_by_the_items() -> None:
    assert tfidf_vectors(TEXTS, REFERENCE, dimensions=100, seed=0).shape == (6, 4)


@pytest.mark.parametrize("text", ["", "a", "!?", "🎈", "ball", "red ball"])
def test_poor_texts_give_finite_vectors(text: str) -> None:
    vectors = tfidf_vectors(pd.Series([text] * 6), REFERENCE, dimensions=4, seed=0)
    assert vectors.shape[0] == 6
    assert np.isfinite(vectors).all()
    assert vectors.any() == ("ball" in text)


def test_no_reference_item_gives_zeros() -> None:
    vectors = tfidf_vectors(TEXTS, np.zeros(6, dtype=bool), dimensions=4, seed=0)
    assert vectors.tolist() == [[0.0]] * 6
