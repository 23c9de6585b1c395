from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from pydantic import ValidationError
from tests.recommenders.worlds import histories_of, taste_world

from longtail.arrays import Arrays
from longtail.hybrid.candidates import standardise
from longtail.hybrid.fitting import fit_hybrid
from longtail.hybrid.model import Hybrid
from longtail.hybrid.parameters import HybridParameters
from longtail.hybrid.ranking import recommend_hybrid
from longtail.hybrid.tail_emphasis import choose_tail_emphasis, contains, is_dominated
from longtail.recommenders.base import Recommender, TrainingData
from longtail.recommenders.collaborative.als import ALS
from longtail.recommenders.collaborative.item_knn import ItemKNN
from longtail.recommenders.content.text_knn import TextKNN
from longtail.recommenders.fitted_model import FittedModel
from longtail.recommenders.validation import ValidationTargets, validation_targets

PARAMETERS = HybridParameters(sources=("als", "item_knn", "text_knn"), candidates_per_source=10)


class Oracle(Recommender):
    """Scores that are given."""

    def fit(self, data: TrainingData) -> Arrays:  # noqa: ARG002
        return {}

    def score(self, arrays: Arrays, data: TrainingData, users: np.ndarray) -> np.ndarray:  # noqa: ARG002
        return arrays["scores"][users]


@pytest.fixture(scope="module")
def world() -> tuple[TrainingData, ValidationTargets, dict[str, FittedModel], Hybrid]:
    data = taste_world(n_users=60, n_items=40, share=0.4, new_items=4)
    liked = np.arange(60)[:, None] % 2 == np.arange(44)[None, :] % 2
    unseen = liked & (data.histories.matrix().toarray() == 0)
    held_out = sp.csr_array(unseen & (np.random.default_rng(5).random(unseen.shape) < 0.2))
    targets = validation_targets(data.histories, held_out, max_users=100, seed=0)
    models = {"als": ALS(factors=4), "item_knn": ItemKNN(), "text_knn": TextKNN()}
    sources = {name: FittedModel(model, model.fit(data)) for name, model in models.items()}
    hybrid = fit_hybrid(sources, data, targets, sources["als"], PARAMETERS, 20)
    return data, targets, sources, hybrid


def test_standardised_scores_by_hand() -> None:
    scores = np.array([[1, 1, 4], [2, 2, 2]], dtype=np.float32)
    t = standardise(scores, *np.indices(scores.shape).reshape(2, -1)).reshape(scores.shape)
    assert t[0].tolist() == pytest.approx(
        [-np.log1p(2**-0.5), -np.log1p(2**-0.5), np.log1p(2**0.5)], abs=1e-6
    )
    assert t[1].tolist() == [0, 0, 0]


def test_contributions_sum_to_the_score(world) -> None:
    data, targets, sources, hybrid = world
    table = recommend_hybrid(hybrid, sources, data, targets.users, 20, PARAMETERS)
    contributions = table.filter(like="contribution_").sum(axis=1)
    assert contributions.to_numpy() == pytest.approx(table["score"].to_numpy(), abs=1e-9)
    assert {"contribution_als", "contribution_text_knn", "contribution_tail_emphasis"} <= set(table)


def test_lists_are_ranked_and_hold_nothing_that_the_user_has(world) -> None:
    data, targets, sources, hybrid = world
    table = recommend_hybrid(hybrid, sources, data, targets.users, 20, PARAMETERS)
    for user, rows in table.groupby("user_id"):
        assert rows["rank"].tolist() == list(range(1, len(rows) + 1))
        assert rows["score"].is_monotonic_decreasing
        index = int(np.flatnonzero(data.histories.user_ids == user)[0])
        own = data.histories.item_ids[data.histories.items[data.histories.users == index]]
        assert not set(rows["item_id"]) & set(own)


def test_new_items_of_the_right_kind_are_found(world) -> None:
    data, targets, sources, hybrid = world
    table = recommend_hybrid(hybrid, sources, data, targets.users, 44, PARAMETERS)
    new = table[table["item_id"].isin(data.histories.item_ids[40:])]
    same_kind = new["user_id"].str[1:].astype(int) % 2 == new["item_id"].str[1:].astype(int) % 2
    assert new["rank"][same_kind].max() < new["rank"][~same_kind].min()


def test_a_user_without_a_history_gets_what_is_popular_of_old_and_lately(world) -> None:
    data, _, sources, hybrid = world
    nothing = histories_of(np.empty((0, 2), dtype=int), 1, 44)
    newcomer = replace(data, histories=replace(nothing, reference=data.histories))
    folded = {
        name: replace(model, arrays=model.recommender.fold_in(model.arrays, newcomer))
        for name, model in sources.items()
    }
    table = recommend_hybrid(hybrid, folded, newcomer, np.array([0]), 10, PARAMETERS)
    counts = [data.histories.item_counts()]
    counts += [data.histories.recent_counts(share) for share in PARAMETERS.trend_shares]
    popular = np.argsort(-np.log1p(counts).sum(axis=0), kind="stable")[:10]
    assert table["item_id"].tolist() == list(data.histories.item_ids[popular])
    assert table["main_source"].isna().all()
    contributions = table.filter(like="contribution_").sum(axis=1)
    assert contributions.to_numpy() == pytest.approx(table["score"].to_numpy())


def test_invalid_sources_are_named_in_the_error() -> None:
    with pytest.raises(
        ValidationError,
        match=r"hybrid\.sources names unknown models: alss\. Known models: random, ",
    ):
        HybridParameters(sources=("als", "alss"))
    with pytest.raises(
        ValidationError, match="names popularity, which is always a feature of the gate"
    ):
        HybridParameters(sources=("als", "popularity"))


def test_saved_hybrid_gives_the_same_lists(world) -> None:
    data, targets, sources, hybrid = world
    again = Hybrid.from_json(hybrid.to_json())
    tables = [
        recommend_hybrid(each, sources, data, targets.users, 5, PARAMETERS)
        for each in (hybrid, again)
    ]
    assert tables[0].equals(tables[1])


def test_more_emphasis_moves_the_lists_to_rarer_items(world) -> None:
    data, targets, sources, hybrid = world
    counts = dict(zip(data.histories.item_ids, data.histories.item_counts(), strict=True))
    means = []
    for emphasis in (0.0, 3.0):
        emphasised = Hybrid(hybrid.gate, emphasis, hybrid.front, hybrid.alone)
        table = recommend_hybrid(emphasised, sources, data, targets.users, 10, PARAMETERS)
        means.append(table["item_id"].map(counts).mean())
    assert means[1] < means[0]


def test_recent_demand_is_distinguished_from_old_demand() -> None:
    """Ten items were in demand, ten others are now: counts over all time do not show which."""
    generator = np.random.default_rng(2)
    turn = np.arange(400)
    item = generator.integers(0, 10, 400) + np.where(turn >= 280, 10, 0)
    pairs = pd.DataFrame({"user": turn % 80, "item": item}).drop_duplicates().to_numpy()
    data = TrainingData(histories_of(pairs, 80, 20))
    chosen = np.zeros((80, 20))
    chosen[np.arange(80), generator.integers(10, 20, 80)] = 1
    held_out = sp.csr_array(chosen * (data.histories.matrix().toarray() == 0))
    targets = validation_targets(data.histories, held_out, max_users=100, seed=0)
    model = ItemKNN()
    sources = {"item_knn": FittedModel(model, model.fit(data))}
    parameters = HybridParameters(sources=("item_knn",), tail_emphasis=0)
    hybrid = fit_hybrid(sources, data, targets, sources["item_knn"], parameters, 20)
    table = recommend_hybrid(hybrid, sources, data, targets.users, 5, parameters)
    late = table["item_id"] >= "i010"
    assert late.mean() > 0.9
    assert table["contribution_trend"][late].min() > 0


def point(emphasis: float, ndcg: float, head: float, tail: float) -> dict[str, float]:
    return {
        "tail_emphasis": emphasis,
        "ndcg": ndcg,
        "recall_head": 0.3 + head,
        "recall_tail": tail,
        "head_difference": head,
        "head_standard_error": 0.01,
    }


def one_user(front: list[dict[str, float]]) -> np.ndarray:
    return np.array([[point["recall_tail"]] for point in front])


def test_rule_takes_the_best_tail_that_keeps_quality_and_head() -> None:
    front = [
        point(0.0, 0.200, 0.050, 0.10),
        point(0.1, 0.199, 0.030, 0.12),
        point(0.2, 0.198, 0.019, 0.14),
        point(0.3, 0.150, 0.030, 0.20),
    ]
    assert choose_tail_emphasis(front, one_user(front), PARAMETERS, {}) == 0.1


def test_rule_does_not_pay_for_a_tail_that_may_be_chance() -> None:
    front = [
        point(0.0, 0.2, 0.05, 0.10),
        point(0.1, 0.2, 0.05, 0.46),
        point(0.2, 0.2, 0.05, 0.50),
    ]
    # Against the highest: the lowest misses 0.4 of every user, the second 0.16 of one in four,
    # which is 0.04 with a standard error of 0.16 * sqrt(3 / 16) / 2 = 0.035.
    tail = np.array([[0.1, 0.1, 0.1, 0.1], [0.34, 0.5, 0.5, 0.5], [0.5, 0.5, 0.5, 0.5]])
    assert choose_tail_emphasis(front, tail, PARAMETERS, {}) == 0.2
    # Missed by one user and gained by another it is 0.02 with a standard error of 0.04.
    tail[1] = [0.34, 0.5, 0.5, 0.58]
    assert choose_tail_emphasis(front, tail, PARAMETERS, {}) == 0.1


def test_rule_keeps_most_of_the_head_where_none_is_safe() -> None:
    front = [point(0.0, 0.2, -0.01, 0.1), point(0.1, 0.2, -0.02, 0.2)]
    assert choose_tail_emphasis(front, one_user(front), PARAMETERS, {}) == 0.0


def test_rule_leaves_out_what_a_source_alone_dominates() -> None:
    front = [point(0.0, 0.2, 0.05, 0.1), point(0.1, 0.199, 0.05, 0.3)]
    alone = {"als": {"ndcg": 0.2, "recall_tail": 0.2}}
    assert is_dominated(front[0], alone)
    assert not is_dominated(front[1], alone)
    assert choose_tail_emphasis(front[:1] + front[1:], one_user(front), PARAMETERS, alone) == 0.1
    # A source that is equal on both does not dominate.
    assert not is_dominated(front[0], {"als": {"ndcg": 0.2, "recall_tail": 0.1}})


def test_a_source_that_the_gate_cannot_reach_is_taken_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    # Of two users one chose the most popular item and one an unpopular item. The oracle knows
    # both, but a gate that is fitted on one user learns the wrong popularity for the other.
    pairs = [(user, item) for user in range(2, 12) for item in range(12) if item < user]
    data = TrainingData(histories_of(np.array([*pairs, (0, 5), (1, 5)]), 12, 12))
    held_out = sp.csr_array((np.ones(2), ([0, 1], [0, 11])), shape=(12, 12))
    targets = validation_targets(data.histories, held_out, max_users=10, seed=0)
    knowledge = held_out.toarray().astype(np.float32)
    oracle = FittedModel(Oracle(), {"scores": knowledge})
    with caplog.at_level("INFO", "longtail"):
        hybrid = fit_hybrid({"oracle": oracle}, data, targets, oracle, PARAMETERS, 1)
    assert "oracle alone is better" in caplog.text
    assert hybrid.gate.weights[hybrid.gate.names.index("oracle")] == 1
    assert hybrid.gate.weights.sum() == 1
    chosen = next(p for p in hybrid.front if p["tail_emphasis"] == hybrid.tail_emphasis)
    assert not is_dominated(chosen, hybrid.alone)


def test_where_no_user_chose_a_candidate_the_first_source_stands_alone(
    world, caplog: pytest.LogCaptureFixture
) -> None:
    data, targets, sources, _ = world
    nothing = replace(targets, relevant=sp.csr_array(targets.relevant.shape, dtype=np.float32))
    hybrid = fit_hybrid(sources, data, nothing, sources["als"], PARAMETERS, 20)
    assert hybrid.gate.names[np.flatnonzero(hybrid.gate.weights)[0]] == "als"
    assert np.count_nonzero(hybrid.gate.weights) == 1
    assert "the hybrid takes als alone" in caplog.text


def test_a_given_emphasis_that_a_source_dominates_is_said(
    world, caplog: pytest.LogCaptureFixture
) -> None:
    data, targets, sources, _ = world
    for emphasis in (0.0, 50.0):
        given = PARAMETERS.model_copy(update={"tail_emphasis": emphasis})
        hybrid = fit_hybrid(sources, data, targets, sources["als"], given, 20)
        assert hybrid.tail_emphasis == emphasis
        assert ("hybrid.tail_emphasis 50" in caplog.text) == (emphasis == 50)


def test_the_chosen_point_is_not_dominated(world) -> None:
    *_, hybrid = world
    chosen = next(p for p in hybrid.front if p["tail_emphasis"] == hybrid.tail_emphasis)
    assert set(hybrid.alone) == set(PARAMETERS.sources)
    assert not is_dominated(chosen, hybrid.alone)


def test_contains_looks_up_coordinates() -> None:
    matrix = sp.csr_array(np.array([[0, 1], [1, 0]]))
    assert contains(matrix, np.array([0, 0, 1]), np.array([0, 1, 0])).tolist() == [
        False,
        True,
        True,
    ]


def test_shelf_keeps_its_places_for_cold_items(world) -> None:
    data, targets, sources, hybrid = world
    parameters = PARAMETERS.model_copy(update={"cold_shelf": 0.25})
    plain = recommend_hybrid(hybrid, sources, data, targets.users, 20, PARAMETERS)
    table = recommend_hybrid(hybrid, sources, data, targets.users, 20, parameters)
    again = recommend_hybrid(hybrid, sources, data, targets.users, 20, parameters)
    assert table.equals(again)
    assert "contribution_cold_shelf" not in plain
    contributions = table.filter(like="contribution_").sum(axis=1)
    assert contributions.to_numpy() == pytest.approx(table["score"].to_numpy(), abs=1e-9)
    cold = set(data.histories.item_ids[data.histories.item_counts() == 0])
    for (user, rows), (_, before) in zip(
        table.groupby("user_id"), plain.groupby("user_id"), strict=True
    ):
        assert rows["rank"].tolist() == list(range(1, len(rows) + 1)), user
        assert rows["score"].is_monotonic_decreasing
        found = rows["item_id"].isin(cold).cumsum().to_numpy()
        at_least = np.minimum(np.arange(1, len(rows) + 1) // 4, 4)
        assert (found >= at_least).all()
        warm, warm_before = (
            each["item_id"][~each["item_id"].isin(cold)].tolist() for each in (rows, before)
        )
        assert warm == warm_before[: len(warm)]
