import math

import numpy as np
import pandas as pd
import pytest
from hand_case import Case
from irspack.evaluation.evaluator import Evaluator
from scipy import sparse
from sklearn.metrics.pairwise import cosine_distances

from longtail.metrics import exposure
from longtail.metrics.scoring import Cell, score_model


@pytest.mark.parametrize(
    ("metric", "k", "user_group", "expected"),
    [
        # Users with history show d b | a c within two places: one list each, e in none.
        ("catalog_coverage", 2, "all", 4 / 5),
        ("catalog_coverage", 2, "active", 2 / 5),
        ("catalog_coverage", 2, "new", 2 / 5),
        ("tail_coverage", 2, "all", 1.0),
        ("tail_coverage", 2, "quiet", 1 / 2),
        # Counts 0 1 1 1 1 with weights -4 -2 0 2 4, over 5 items x 4 places.
        ("gini", 2, "all", 4 / 20),
        ("entropy", 2, "all", math.log(4)),
        # Head: a is not among u1's first three, u3 has no list: 0 of 2. Tail: c of b, c: 1 of 2.
        ("pop_reo", 3, "all", 1.0),
        ("pop_reo", 4, "all", 0.0),
        # Head: 1 shown of 3 users x 1 item. Tail: 2 shown of 3 users x 2 items less u3's 2.
        ("pop_rsp", 2, "all", (1 / 12) / (5 / 12)),
    ],
)
def test_population_metrics_by_hand(
    case: Case, metric: str, k: int, user_group: str, expected: float
) -> None:
    scores = score_model(case.recommendations, case.truth, [k])
    assert scores.population[Cell(metric, k, "all")][user_group] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("arp", [(0 + 3) / 2, (8 + 1) / 2, math.nan, (8 + 3) / 2]),
        ("aplt", [1 / 2, 1 / 2, math.nan, 1 / 2]),
        ("aclt", [1, 1, math.nan, 1]),
        # Three users have a history: d log2(4/1), b log2(4/4), a log2(4/9), c log2(4/2).
        ("novelty", [1, (math.log2(4 / 9) + 1) / 2, math.nan, math.log2(4 / 9) / 2]),
    ],
)
def test_list_means_by_hand(case: Case, metric: str, expected: list[float]) -> None:
    scores = score_model(case.recommendations, case.truth, [2])
    np.testing.assert_allclose(scores.list_means[Cell(metric, 2, "all")], expected)


def test_intra_list_diversity_by_hand(case: Case) -> None:
    vectors = np.array([[2.0, 0.0], [0.0, 3.0], [1.0, 1.0], [0.0, 1.0], [0.0, 0.0]])
    scores = score_model(case.recommendations, case.truth, [2], vectors)
    # u1: d and b are parallel. u2: a and c at 45 degrees. u4: a and b at right angles.
    np.testing.assert_allclose(
        scores.list_means[Cell("intra_list_diversity", 2, "all")],
        [0.0, 1 - math.sqrt(0.5), math.nan, 1.0],
        atol=1e-12,
    )


def test_intra_list_diversity_agrees_with_all_pairs() -> None:
    rng = np.random.default_rng(2)
    vectors = rng.normal(size=(30, 6))
    lists = np.stack([rng.permutation(30)[:8] for _ in range(5)]).astype(np.int32)
    pairs = [cosine_distances(vectors[row])[np.triu_indices(8, 1)].mean() for row in lists]
    np.testing.assert_allclose(exposure.intra_list_diversity(lists, vectors), pairs, rtol=1e-6)


def test_items_without_a_vector_are_left_out_of_the_pairs() -> None:
    vectors = np.array([[1.0, 0.0], [0.0, 0.0], [1.0, 0.0]])
    diversity = exposure.intra_list_diversity(np.array([[0, 1, 2], [0, 1, -1]]), vectors)
    np.testing.assert_allclose(diversity, [0.0, math.nan], atol=1e-12)


def test_one_item_has_no_diversity() -> None:
    assert np.isnan(exposure.intra_list_diversity(np.array([[1, -1]]), np.eye(3))).all()


def test_gini_bounds() -> None:
    assert exposure.gini(np.array([5, 5, 5, 5])) == pytest.approx(0.0)
    assert exposure.gini(np.array([0, 0, 0, 9])) == pytest.approx(3 / 4)
    assert math.isnan(exposure.gini(np.zeros(4, dtype=int)))


def test_agrees_with_irspack() -> None:
    rng = np.random.default_rng(8)
    scores = rng.random((50, 30)) + rng.random(30)
    # irspack ignores users without relevant items, so every user gets one.
    peer = Evaluator(sparse.csr_matrix(np.ones((50, 30))), cutoff=7, n_threads=1)
    theirs = peer.get_score_from_score_matrix(scores)
    counts = exposure.exposure_counts(np.argsort(-scores, axis=1)[:, :7], 30)
    assert exposure.gini(counts) == pytest.approx(theirs["gini_index"])
    assert exposure.entropy(counts) == pytest.approx(theirs["entropy"])
    assert exposure.catalog_coverage(counts) == pytest.approx(theirs["catalog_coverage"])


def test_no_tail_and_no_lists_are_undefined(case: Case) -> None:
    scores = score_model(case.recommendations.iloc[:0], case.truth, [2])
    for metric in ("gini", "entropy", "pop_reo", "pop_rsp"):
        assert math.isnan(scores.population[Cell(metric, 2, "all")]["all"])
    assert scores.population[Cell("catalog_coverage", 2, "all")]["all"] == 0.0
    assert math.isnan(exposure.tail_coverage(np.array([1, 0]), np.array([0, 2])))


def test_lorenz_curve() -> None:
    items, places = exposure.lorenz_curve(np.array([3, 0, 1]))
    np.testing.assert_allclose(items, [0, 1 / 3, 2 / 3, 1])
    np.testing.assert_allclose(places, [0, 0, 1 / 4, 1])


def test_popularity_deciles_by_hand() -> None:
    # Twenty warm items of rising popularity: two in each decile; and a cold one.
    per_item = pd.DataFrame(
        {
            "model": "als",
            "item_id": [f"{n:02d}" for n in range(21)],
            "item_group": ["cold"] + ["tail"] * 16 + ["head"] * 4,
            "interaction_count": np.arange(21),
            "k": 20,
            "n_relevant": [3, 1, 0] + [0] * 16 + [4, 6],
            "n_hits": [0, 1, 0] + [0] * 16 + [1, 4],
            "n_recommended": [0] * 17 + [2, 3, 7, 8],
        }
    )
    table = exposure.popularity_deciles(per_item)
    assert table["decile"].to_list() == list(range(11))
    assert table["n_items"].to_list() == [1] + [2] * 10
    assert table["least_interactions"].to_list()[-2:] == [17, 19]
    assert table["most_interactions"].to_list()[-2:] == [18, 20]
    assert table["exposure_share"].to_list()[-2:] == [1 / 4, 3 / 4]
    table = table.dropna(subset="recall")
    assert table["decile"].to_list() == [0, 1, 10]
    assert table["recall"].to_list() == [0.0, 1.0, 0.5]
    assert table["n_relevant"].to_list() == [3, 1, 10]
