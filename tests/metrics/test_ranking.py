import math

import numpy as np
import pytest
from hand_case import Case, lists
from irspack.evaluation.evaluator import Evaluator
from scipy import sparse
from sklearn.metrics import ndcg_score

from longtail.metrics.ranking import RANKING_METRICS, find_hits
from longtail.metrics.scoring import Cell, score_model
from longtail.metrics.tables import HEAD, GroundTruth, ranked_lists

NAN = math.nan
LOG3 = math.log2(3)


@pytest.mark.parametrize(
    ("metric", "k", "group", "expected"),
    [
        # u1's list is d b | c a and a, c, d are relevant: one hit, at rank 1.
        ("recall", 2, "all", [1 / 3, 0, 0, 1 / 2]),
        ("precision", 2, "all", [1 / 2, 0, 0, 1 / 2]),
        ("hit_rate", 2, "all", [1, 0, 0, 1]),
        ("ndcg", 2, "all", [1 / (1 + 1 / LOG3), 0, 0, (1 / LOG3) / (1 + 1 / LOG3)]),
        ("mrr", 2, "all", [1, 0, 0, 1 / 2]),
        ("map", 2, "all", [1 / 2, 0, 0, (1 / 2) / 2]),
        # Hits of u1 at ranks 1 and 3.
        ("recall", 3, "all", [2 / 3, 0, 0, 1 / 2]),
        ("ndcg", 3, "all", [1.5 / (1.5 + 1 / LOG3), 0, 0, (1 / LOG3) / (1 + 1 / LOG3)]),
        ("map", 3, "all", [(1 + 2 / 3) / 3, 0, 0, (1 / 2) / 2]),
        # k is larger than every list: precision still divides by k.
        ("recall", 10, "all", [1, 0, 0, 1 / 2]),
        ("precision", 10, "all", [3 / 10, 0, 0, 1 / 10]),
        ("map", 10, "all", [(1 + 2 / 3 + 3 / 4) / 3, 0, 0, (1 / 2) / 2]),
        # Tail: c for u1 at rank 3, b for u2 not listed, nothing for u3, b for u4 at rank 2.
        ("recall", 3, "tail", [1, 0, NAN, 1]),
        ("precision", 3, "tail", [1 / 3, 0, NAN, 1 / 3]),
        ("hit_rate", 2, "tail", [0, 0, NAN, 1]),
        ("ndcg", 3, "tail", [1 / 2, 0, NAN, 1 / LOG3]),
        ("mrr", 3, "tail", [1 / 3, 0, NAN, 1 / 2]),
        ("map", 3, "tail", [1 / 3, 0, NAN, 1 / 2]),
        ("recall", 3, "head", [0, NAN, 0, NAN]),
        ("ndcg", 2, "cold", [1, NAN, NAN, 0]),
        # Without d u1 sees b c a, of which a and c are relevant; e is no longer relevant for u4.
        ("recall_warm_only", 2, "all", [1 / 2, 0, 0, 1]),
        ("precision_warm_only", 2, "all", [1 / 2, 0, 0, 1 / 2]),
        ("hit_rate_warm_only", 1, "all", [0, 0, 0, 0]),
        ("ndcg_warm_only", 2, "all", [(1 / LOG3) / (1 + 1 / LOG3), 0, 0, 1 / LOG3]),
        ("mrr_warm_only", 2, "all", [1 / 2, 0, 0, 1 / 2]),
        ("map_warm_only", 2, "all", [(1 / 2) / 2, 0, 0, 1 / 2]),
        # Squared weights: a 1, b 8/3, and 8 for c and the cold items (as if of one interaction).
        ("unbiased_recall", 2, "all", [8**0.5 / (1 + 2 * 8**0.5), 0, 0, 1 / (1 + 3**0.5)]),
        ("unbiased_recall", 3, "all", [2 * 8**0.5 / (1 + 2 * 8**0.5), 0, 0, 1 / (1 + 3**0.5)]),
        ("ndcg_warm_only", 3, "head", [1 / 2, NAN, 0, NAN]),
        ("ndcg_warm_only", 2, "tail", [1 / LOG3, 0, NAN, 1 / LOG3]),
    ],
)
def test_by_hand(case: Case, metric: str, k: int, group: str, expected: list[float]) -> None:
    scores = score_model(case.recommendations, case.truth, [k])
    np.testing.assert_allclose(scores.ranking[Cell(metric, k, group)], expected, rtol=1e-12)


def test_a_group_without_relevant_items_is_undefined_for_all_users(case: Case) -> None:
    scores = score_model(
        case.recommendations,
        GroundTruth(**(vars(case.truth) | {"item_group": np.full(5, HEAD, np.int8)})),
        [2],
    )
    for name in RANKING_METRICS:
        assert np.isnan(scores.ranking[Cell(name, 2, "tail")]).all()


def test_a_perfect_list_scores_one(case: Case) -> None:
    perfect = lists("u1 a c d", "u2 b", "u3 a", "u4 b e")
    scores = score_model(perfect, case.truth, [2])
    for metric in ("ndcg", "map", "mrr", "hit_rate"):
        np.testing.assert_allclose(scores.ranking[Cell(metric, 2, "all")], 1.0)


@pytest.fixture(scope="module")
def random_case() -> tuple[np.ndarray, np.ndarray, GroundTruth]:
    """Scores (n_users, n_items), relevance, and the matching ground truth."""
    rng = np.random.default_rng(5)
    n_users, n_items = 60, 40
    scores = rng.random((n_users, n_items))
    relevance = rng.random((n_users, n_items)) < 0.15
    relevance[:, 0] |= ~relevance.any(axis=1)
    truth = GroundTruth(
        user_ids=np.arange(n_users),
        item_ids=np.arange(n_items),
        user_group=np.zeros(n_users, np.int8),
        item_group=np.zeros(n_items, np.int8),
        interaction_count=np.ones(n_items, np.int64),
        relevant_pairs=np.flatnonzero(relevance),
        history_pairs=np.empty(0, np.int64),
        n_history_users=n_users,
    )
    return scores, relevance, truth


@pytest.mark.parametrize("k", [1, 5, 20, 40])
def test_ndcg_agrees_with_scikit_learn(
    random_case: tuple[np.ndarray, np.ndarray, GroundTruth], k: int
) -> None:
    scores, relevance, truth = random_case
    hits = find_hits(np.argsort(-scores, axis=1), truth)
    assert RANKING_METRICS["ndcg"](hits, k).mean() == pytest.approx(
        ndcg_score(relevance.astype(float), scores, k=k), rel=1e-12
    )


@pytest.mark.parametrize("k", [1, 5, 20])
def test_agrees_with_irspack(
    random_case: tuple[np.ndarray, np.ndarray, GroundTruth], k: int
) -> None:
    """irspack defines all of these the same way except MAP, which it divides by |relevant|."""
    scores, relevance, truth = random_case
    lists_of_all = np.argsort(-scores, axis=1)
    peer = Evaluator(sparse.csr_matrix(relevance.astype(float)), cutoff=k, n_threads=1)
    theirs = peer.get_score_from_score_matrix(scores)
    hits = find_hits(lists_of_all, truth)
    for name, peer_name in {
        "recall": "recall",
        "ndcg": "ndcg",
        "hit_rate": "hit",
        "precision": "precision",
    }.items():
        assert RANKING_METRICS[name](hits, k).mean() == pytest.approx(theirs[peer_name], rel=1e-9)
    rescaled = RANKING_METRICS["map"](hits, k) * np.minimum(hits.n_relevant, k) / hits.n_relevant
    assert rescaled.mean() == pytest.approx(theirs["map"], rel=1e-9)


def test_long_lists_and_short_lists_agree(case: Case) -> None:
    cut = case.recommendations[case.recommendations["rank"] <= 2]
    whole = find_hits(ranked_lists(case.recommendations, case.truth), case.truth)
    short = find_hits(ranked_lists(cut, case.truth), case.truth)
    for metric in RANKING_METRICS.values():
        np.testing.assert_array_equal(metric(whole, 2), metric(short, 2))
