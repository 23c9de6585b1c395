import numpy as np
import pytest

from longtail.hybrid.gate import GateParameters, Lists, fit_gate


def lists_where_the_first_feature_decides() -> tuple[Lists, np.ndarray]:
    generator = np.random.default_rng(0)
    features = generator.normal(size=(400, 3)).astype(np.float32)
    relevant = np.zeros(400, dtype=bool)
    for start in range(0, 400, 20):
        relevant[start + features[start : start + 20, 0].argmax()] = True
    return Lists(np.arange(0, 401, 20), features, ("informative", "noise", "more_noise")), relevant


def test_the_informative_feature_gets_the_weight() -> None:
    lists, relevant = lists_where_the_first_feature_decides()
    gate = fit_gate(lists, relevant, GateParameters())
    assert gate.importance[0] > 5 * np.abs(gate.importance[1:]).max()
    scores = gate.score(lists).reshape(20, 20)
    assert (scores.argmax(axis=1) == relevant.reshape(20, 20).argmax(axis=1)).mean() > 0.9


def test_contributions_sum_to_the_score() -> None:
    lists, relevant = lists_where_the_first_feature_decides()
    gate = fit_gate(lists, relevant, GateParameters())
    rows = np.array([3, 77, 399])
    contributions = gate.contributions(lists, rows)
    assert contributions.sum(axis=1) == pytest.approx(gate.score(lists)[rows], abs=1e-9)


def test_closed_form_with_two_candidates() -> None:
    # One user, one chosen and one other candidate, one feature of +1 and -1 after standardising:
    # the loss log(1 + exp(-2 w)) + r w^2 is flat where 2 / (1 + exp(2 w)) = 2 r w.
    lists = Lists(np.array([0, 2]), np.array([[1], [-1]], dtype=np.float32), ("only",))
    gate = fit_gate(lists, np.array([True, False]), GateParameters(ridge=0.1))
    weight = gate.importance[0]
    assert 2 / (1 + np.exp(2 * weight)) == pytest.approx(2 * 0.1 * weight, abs=1e-4)


def test_users_without_a_chosen_candidate_change_nothing() -> None:
    lists, relevant = lists_where_the_first_feature_decides()
    more = Lists(
        np.append(lists.indptr, 450),
        np.vstack([lists.features, np.full((50, 3), 9, dtype=np.float32)]),
        lists.names,
    )
    gate = fit_gate(lists, relevant, GateParameters())
    with_others = fit_gate(more, np.append(relevant, np.zeros(50, dtype=bool)), GateParameters())
    assert np.array_equal(gate.weights, with_others.weights)


def test_nothing_chosen_is_an_error() -> None:
    lists, relevant = lists_where_the_first_feature_decides()
    with pytest.raises(ValueError, match="no validation user chose any candidate"):
        fit_gate(lists, np.zeros_like(relevant), GateParameters())
