import math

import numpy as np
import pandas as pd
import pytest
from hand_case import lists, pairs
from scipy.spatial.distance import jensenshannon

from longtail.metrics import calibration
from longtail.metrics.scoring import Cell, ModelScores, score_model
from longtail.metrics.tables import GroundTruth, ground_truth

NAN = math.nan


@pytest.fixture
def truth() -> GroundTruth:
    """Five users with a history: without head items for u1, only head items for u5."""
    return ground_truth(
        test_interactions=pairs("u1 a", "u2 c", "u3 c", "u4 d", "u5 d", "u6 a"),
        train_interactions=pairs("u1 b c", "u2 a b", "u3 a", "u4 a b c", "u5 a"),
        validation_interactions=pairs("u3 b"),
        item_groups=pd.DataFrame(
            {
                "item_id": list("abcd"),
                "interaction_count": [4, 3, 1, 0],
                "item_group": ["head", "tail", "tail", "cold"],
            }
        ),
        user_groups=pd.DataFrame(
            {"user_id": [f"u{n}" for n in range(1, 7)], "user_group": ["quiet"] * 5 + ["new"]}
        ),
    )


@pytest.fixture
def scores(truth: GroundTruth) -> ModelScores:
    vectors = np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.0, 2.0]])
    return score_model(lists("u1 a b", "u2 a b", "u4 a c", "u5 d", "u6 a b"), truth, [2], vectors)


def test_taste_groups_by_hand(truth: GroundTruth) -> None:
    # Shares of a: 0, 1/2, 1/2, 1/3 and 1; u6 has no history.
    names = np.array(["niche", "diverse", "diverse", "diverse", "blockbuster"])
    groups = calibration.taste_groups(truth)
    assert np.array(calibration.TASTE_GROUPS)[groups[:5]].tolist() == names.tolist()
    assert groups[5] == -1


def test_popularity_classes_by_hand() -> None:
    # Of 20 interactions the first two items take 25 % and begin within 20 %.
    counts = np.array([1, 3, 2, 0, 2, 2, 2, 2, 2, 2, 2])
    classes = calibration.popularity_classes(counts)
    assert classes.tolist() == [2, 0, 0, 2, 1, 1, 1, 1, 1, 1, 2]


def test_miscalibration_by_hand(scores: ModelScores) -> None:
    # a, b and c, d are the three classes. u1: (0 1 1) against (1 1 0). u5: (1 0 0) against (0 0 1).
    u4 = (2 / 3 * math.log2(0.8) + 1 / 3 + math.log2(1.2)) / 2
    np.testing.assert_allclose(
        scores.list_means[Cell("miscalibration", 2, "all")], [0.5, 0, NAN, u4, 1, NAN], atol=1e-12
    )
    upd = scores.population[Cell("upd", 2, "all")]
    assert upd == {"all": pytest.approx((0.5 + (0 + u4) / 2 + 1) / 3)}


@pytest.mark.parametrize(
    ("metric", "group", "expected"),
    [
        # Shares of the five users: a 4/5, b 3/5, c 1/5, d 0. Lists: .7 .7 - .5 0.
        ("gap", "all", 1.9 / 4),
        ("gap", "diverse", 1.2 / 2),
        # Histories of those with a list: .4 .7 - 1.6/3 .8.
        ("delta_gap", "all", 1.9 / (1.9 + 1.6 / 3) - 1),
        ("delta_gap", "niche", 0.7 / 0.4 - 1),
        ("delta_gap", "diverse", 1.2 / (0.7 + 1.6 / 3) - 1),
        ("delta_gap", "blockbuster", -1.0),
    ],
)
def test_group_average_popularity_by_hand(
    scores: ModelScores, metric: str, group: str, expected: float
) -> None:
    assert scores.population[Cell(metric, 2, "all")][group] == pytest.approx(expected)


def test_serendipity_by_hand(scores: ModelScores) -> None:
    # u1 finds a, 45 degrees from b and 90 from c; u5 finds d, at right angles to a.
    np.testing.assert_allclose(
        scores.list_means[Cell("serendipity", 2, "all")],
        [(1 - math.sqrt(0.5)) / 2, 0, 0, 0, 1 / 2, NAN],
        atol=1e-12,
    )


def test_jensen_shannon_agrees_with_scipy() -> None:
    first, second = np.random.default_rng(0).integers(1, 9, (2, 20, 3))
    np.testing.assert_allclose(
        calibration.jensen_shannon(first.astype(float), second.astype(float)),
        jensenshannon(first, second, base=2, axis=1) ** 2,
        atol=1e-12,
    )
