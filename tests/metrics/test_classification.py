import math

import numpy as np
import pytest
from hand_case import Case
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score

from longtail.metrics import classification
from longtail.metrics.ranking import Hits
from longtail.metrics.scoring import Cell, score_model

NAN = math.nan


@pytest.mark.parametrize(
    ("metric", "k", "expected"),
    [
        # u1: d b | c a, all but b relevant. u4: a b, of which b. The others have no relevant item.
        ("accuracy", 2, [1 / 4, NAN, NAN, 1 / 2]),
        ("f1", 2, [2 / 5, NAN, NAN, 2 / 3]),
        ("accuracy", 1, [2 / 4, NAN, NAN, 0]),
        ("f1", 1, [2 / 4, NAN, NAN, 0]),
        # Longer than the lists: everything is predicted relevant.
        ("accuracy", 9, [3 / 4, NAN, NAN, 1 / 2]),
        ("auc", 4, [1 / 3, NAN, NAN, 0]),
        ("auc", 3, [1 / 2, NAN, NAN, 0]),
        ("auc", 2, [1, NAN, NAN, 0]),
    ],
)
def test_by_hand(case: Case, metric: str, k: int, expected: list[float]) -> None:
    scores = score_model(case.recommendations, case.truth, [k])
    np.testing.assert_allclose(scores.list_means[Cell(metric, k, "all")], expected, atol=1e-12)


def test_agrees_with_scikit_learn() -> None:
    relevance = np.random.default_rng(1).random((40, 30)) < 0.2
    relevance[:, 3] |= ~relevance.any(axis=1)
    user, position = np.nonzero(relevance)
    hits = Hits(user, position, position, relevance.sum(axis=1))
    candidates = classification.candidate_lists(hits, np.tile(np.arange(30), (40, 1)))
    called = np.arange(30) < 7
    theirs = {
        "accuracy": [accuracy_score(row, called) for row in relevance],
        "f1": [f1_score(row, called) for row in relevance],
        "auc": [roc_auc_score(row, -np.arange(30)) for row in relevance],
    }
    np.testing.assert_allclose(classification.accuracy(candidates, 7), theirs["accuracy"])
    np.testing.assert_allclose(classification.f1(candidates, 7), theirs["f1"])
    np.testing.assert_allclose(classification.auc(candidates), theirs["auc"])
