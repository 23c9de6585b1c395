import numpy as np
import pytest

from longtail.studies.control_vectors import (
    item_with_the_text,
    random_vectors_of_same_spectrum,
)
from longtail.text.whitening import unit_length


@pytest.fixture
def vectors() -> np.ndarray:
    """Anisotropic vectors of unit length; the third item has no text."""
    rng = np.random.default_rng(0)
    spread = np.arange(1, 101) ** -0.25
    vectors = unit_length((rng.normal(size=(4000, 100)) * spread + 0.2).astype(np.float32))
    vectors[2] = 0
    return vectors


def test_no_item_keeps_its_text_and_none_is_lost(vectors: np.ndarray) -> None:
    giver = item_with_the_text(vectors, seed=1)
    assert np.sort(giver).tolist() == list(range(len(vectors)))
    assert np.flatnonzero(giver == np.arange(len(vectors))).tolist() == [2]


def test_random_vectors_have_the_spectrum_and_nothing_else(vectors: np.ndarray) -> None:
    drawn = random_vectors_of_same_spectrum(vectors, seed=1)
    assert drawn.dtype == np.float32
    assert not drawn[2].any()
    np.testing.assert_allclose(np.linalg.norm(np.delete(drawn, 2, axis=0), axis=1), 1, rtol=1e-5)
    known = np.delete(np.arange(len(vectors)), 2)
    theirs, ours = (np.linalg.eigvalsh(np.cov(v[known].T)) for v in (vectors, drawn))
    np.testing.assert_allclose(ours, theirs, rtol=0.2)
    centred = [v[known] - v[known].mean(axis=0) for v in (vectors, drawn)]
    assert abs((centred[0] * centred[1]).sum(axis=1).mean()) < 0.02


@pytest.mark.parametrize("control", [item_with_the_text, random_vectors_of_same_spectrum])
def test_the_seed_decides(control: object, vectors: np.ndarray) -> None:
    assert callable(control)
    np.testing.assert_array_equal(control(vectors, seed=1), control(vectors, seed=1))
    assert (control(vectors, seed=1) != control(vectors, seed=2)).any()
