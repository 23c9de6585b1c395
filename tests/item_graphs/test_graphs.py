import numpy as np
import pytest
import scipy.sparse as sp

from longtail.item_graphs.graphs import (
    append_items,
    cooccurrence_graph,
    keep_strongest,
    nearer_than_weakest,
    nearest_by_cosine,
)


def test_keep_strongest_breaks_ties_by_column() -> None:
    graph = sp.csr_array(np.array([[0, 3, 1, 3], [5, 0, 0, 0]], dtype=np.float32))
    assert keep_strongest(graph, 1).toarray().tolist() == [[0, 3, 0, 0], [5, 0, 0, 0]]


def test_cooccurrence_by_hand() -> None:
    behaviour = sp.csr_array(np.array([[1, 1, 0], [1, 1, 0], [1, 0, 1]], dtype=np.float32))
    graph = cooccurrence_graph(behaviour, shrinkage=1.0, neighbours=2).toarray()
    # Items 0 and 1 share two of their three and two users, 0 and 2 one of three and one.
    assert graph[0, 1] == pytest.approx(2 / np.sqrt(4 * 3))
    assert graph[0, 2] == pytest.approx(1 / np.sqrt(4 * 2))
    assert graph[1, 2] == 0
    assert np.array_equal(graph, graph.T)
    assert not np.diag(graph).any()


def test_nearest_by_cosine_agrees_with_all_pairs() -> None:
    vectors = np.random.default_rng(0).normal(size=(40, 5)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    graph = nearest_by_cosine(vectors, neighbours=3, cells=200).toarray()
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -1)
    for row, cosine in zip(graph, cosines, strict=True):
        nearest = np.argsort(-cosine)[:3]
        assert set(np.flatnonzero(row)) == set(nearest[cosine[nearest] > 0])
        assert row[nearest] == pytest.approx(np.maximum(cosine[nearest], 0), abs=1e-6)


def test_item_without_a_vector_has_no_neighbours() -> None:
    vectors = np.array([[1, 0], [0, 0], [1, 0]], dtype=np.float32)
    graph = nearest_by_cosine(vectors, neighbours=2).toarray()
    assert graph.tolist() == [[0, 0, 1], [0, 0, 0], [1, 0, 0]]


def test_items_at_the_end_of_a_graph_by_hand() -> None:
    graph = sp.csr_array(np.array([[0, 0.5, 0], [0.5, 0, 0.2], [0, 0, 0]], dtype=np.float32))
    closeness = sp.csr_array(np.array([[0.4], [0.3], [0.1]], dtype=np.float32))
    beside = nearer_than_weakest(closeness, graph, neighbours=1)
    # Item 0 has a nearer one already, item 1 has a weaker one, item 2 none.
    assert beside.toarray().ravel().tolist() == pytest.approx([0, 0.3, 0.1])
    below = sp.csr_array(np.array([[0.4, 0, 0, 0]], dtype=np.float32))
    larger = append_items(graph, beside, below).toarray()
    assert larger[:3, :3] == pytest.approx(graph.toarray())
    assert larger[:, 3].tolist() == pytest.approx([0, 0.3, 0.1, 0])
    assert larger[3].tolist() == pytest.approx([0.4, 0, 0, 0])
