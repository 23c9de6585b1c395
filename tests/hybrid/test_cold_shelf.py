import numpy as np

from longtail.hybrid.candidates import Candidates
from longtail.hybrid.cold_shelf import rows_with_shelf

# Two users: the first has eight candidates, of which 5, 6 and 7 are cold, the second has two.
CANDIDATES = Candidates(
    users=np.array([0, 1]),
    indptr=np.array([0, 8, 10]),
    items=np.array([*range(8), 0, 5]),
    sources=(),
    evidence=np.empty((10, 0), dtype=np.float32),
)
SCORES = np.array([8.0, 7, 6, 5, 4, 7.5, 1, 0.5, 1, 2])
COLD = CANDIDATES.items >= 5


def test_shelf_by_hand() -> None:
    rows, _, scores = rows_with_shelf(CANDIDATES, SCORES, COLD, share=0.25, k=8)
    # Item 5 is second by its score, above place 4, and item 6 seventh, above place 8.
    assert rows[:8].tolist() == [0, 5, 1, 2, 3, 4, 6, 7]
    assert scores.tolist() == SCORES[rows].tolist()
    rows, rank, scores = rows_with_shelf(CANDIDATES, SCORES, COLD, share=0.5, k=8)
    # Places 2, 4 and 6.
    assert rows.tolist() == [0, 5, 1, 6, 2, 7, 3, 4, 9, 8]
    assert rank.tolist() == [*range(1, 9), 1, 2]
    # Item 6 stands before item 2 with 6 points, item 7 before item 3 with 5.
    assert scores.tolist() == [8, 7.5, 7, 6, 6, 5, 5, 4, 2, 1]


def test_share_of_one_puts_all_cold_items_first_and_k_cuts() -> None:
    rows, rank, scores = rows_with_shelf(CANDIDATES, SCORES, COLD, share=1.0, k=4)
    assert rows.tolist() == [5, 6, 7, 0, 9, 8]
    assert scores.tolist() == [8, 8, 8, 8, 2, 1]
    assert rank.tolist() == [1, 2, 3, 4, 1, 2]


def test_place_is_not_missed_by_rounding() -> None:
    n = 12
    candidates = Candidates(
        np.array([0]), np.array([0, n]), np.arange(n), (), np.empty((n, 0), np.float32)
    )
    rows, _, _ = rows_with_shelf(
        candidates, -np.arange(float(n)), np.arange(n) >= 9, share=0.3, k=n
    )
    assert [int(np.flatnonzero(rows == item)[0]) + 1 for item in (9, 10, 11)] == [4, 7, 10]
