import numpy as np
import scipy.sparse as sp
import torch

from longtail.recommenders.neural.negatives import TextNeighbours, draw_earlier


def test_the_strongest_neighbours_are_drawn_uniformly() -> None:
    graph = sp.csr_array(np.array([[0, 0.9, 0.5, 0.1], [0, 0, 0, 0], [0, 0, 0, 0.2], [0, 0, 0, 0]]))
    neighbours = TextNeighbours.of(graph, 2)
    items = torch.zeros((50, 40), dtype=torch.int64)
    drawn, there = neighbours.draw(items, torch.Generator().manual_seed(0))
    assert there.all()
    counts = np.bincount(drawn.numpy().ravel(), minlength=4)
    assert counts[[0, 3]].sum() == 0
    assert 900 < counts[1] < 1100
    drawn, there = neighbours.draw(torch.tensor([1, 2, 3]), torch.Generator().manual_seed(0))
    assert drawn.tolist() == [1, 3, 3]
    assert there.tolist() == [False, True, False]


def test_items_without_neighbours_are_returned_themselves() -> None:
    neighbours = TextNeighbours.of(sp.csr_array((3, 3)), 2)
    drawn, there = neighbours.draw(torch.tensor([2, 0]), torch.Generator())
    assert drawn.tolist() == [2, 0]
    assert not there.any()


def test_earlier_rows_are_those_of_the_same_user() -> None:
    ends, position = torch.tensor([1, 9]), torch.tensor([1, 4])
    rows = draw_earlier(ends, position, 200, torch.Generator().manual_seed(0))
    assert set(rows[0].tolist()) == {0}
    assert set(rows[1].tolist()) == {5, 6, 7, 8}
