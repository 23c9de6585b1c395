import numpy as np
import pytest

from longtail.item_graphs.graphs import nearest_by_cosine
from longtail.item_graphs.nearest import approximate_neighbours, find_neighbours
from longtail.text.whitening import unit_length


@pytest.fixture
def vectors() -> np.ndarray:
    """2,000 vectors in 40 clusters; two are equal and one is of an item without a text."""
    random = np.random.default_rng(0)
    centres = random.normal(size=(40, 16))
    vectors = centres[random.integers(0, 40, 2000)] + 0.3 * random.normal(size=(2000, 16))
    vectors[7] = vectors[8]
    vectors[9] = 0
    return unit_length(vectors.astype(np.float32))


def test_small_catalogue_is_searched_exactly(vectors: np.ndarray) -> None:
    graph, recall = find_neighbours(vectors, 20, exact_up_to=2000)
    assert recall == 1
    assert (graph != nearest_by_cosine(vectors, 20)).nnz == 0


def test_large_catalogue_reaches_the_reported_recall(vectors: np.ndarray) -> None:
    exact = nearest_by_cosine(vectors, 20)
    graph, recall = find_neighbours(vectors, 20, exact_up_to=1999)
    found = (graph > 0).multiply(exact > 0).nnz / exact.nnz
    assert recall >= 0.95
    assert found == pytest.approx(recall, abs=0.02)
    both = graph[(graph > 0).multiply(exact > 0).nonzero()]
    assert both == pytest.approx(exact[(graph > 0).multiply(exact > 0).nonzero()], abs=1e-5)


def test_approximate_neighbours_leave_out_the_item_itself_and_items_without_a_text(
    vectors: np.ndarray,
) -> None:
    graph, _ = approximate_neighbours(vectors, 20)
    assert not graph.diagonal().any()
    assert graph[[9]].nnz == 0
    assert graph[:, [9]].nnz == 0
    assert graph[7, 8] == pytest.approx(1, abs=1e-5)
    assert np.diff(graph.indptr).max() == 20


def test_same_vectors_give_the_same_neighbours(vectors: np.ndarray) -> None:
    first, second = (approximate_neighbours(vectors, 20)[0] for _ in range(2))
    assert (first != second).nnz == 0


def test_required_recall_decides_how_many_cells_are_searched(vectors: np.ndarray) -> None:
    _, recall = approximate_neighbours(vectors, 20, least_recall=1.0)
    # All cells are searched: only equally near items may differ, by rounding.
    assert recall == pytest.approx(1, abs=1e-3)
