import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from longtail.text.whitening import whiten

ALL = np.ones(50, dtype=bool)


def vectors(seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return (generator.normal(size=(50, 6)) * [5, 3, 1, 1, 0.5, 0.1] + 2).astype(np.float32)


def test_rows_have_unit_length_and_cosines_spread() -> None:
    white = whiten(vectors(), ALL, ALL, strength=1.0)
    assert np.linalg.norm(white, axis=1) == pytest.approx(1.0, abs=1e-5)
    raw = vectors() / np.linalg.norm(vectors(), axis=1, keepdims=True)
    upper = np.triu_indices(50, 1)
    assert abs((white @ white.T)[upper].mean()) < abs((raw @ raw.T)[upper].mean())


def test_full_strength_equalises_the_variances() -> None:
    white = whiten(vectors(), ALL, ALL, strength=1.0).astype(np.float64)
    variances = white.var(axis=0)
    assert variances.max() / variances.min() < 3


@given(st.integers(0, 20))
def test_later_items_do_not_change_the_fit(seed: int) -> None:
    past = np.arange(50) < 30
    changed = vectors()
    changed[~past] = vectors(seed + 1)[~past]
    original = whiten(vectors(), ALL, past)
    assert np.array_equal(original[past], whiten(changed, ALL, past)[past])


def test_item_without_text_is_a_zero_vector() -> None:
    known = np.arange(50) != 7
    assert not whiten(vectors(), known, ALL)[7].any()


@pytest.mark.parametrize("known", [0, 1])
def test_too_few_texts_give_no_evidence(known: int) -> None:
    assert whiten(vectors(), np.arange(50) < known, ALL).tolist() == [[0.0]] * 50


def test_equal_texts_give_no_evidence() -> None:
    equal = np.repeat(vectors()[:1], 50, axis=0)
    assert not whiten(equal, ALL, ALL).any()
