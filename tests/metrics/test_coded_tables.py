import numpy as np
import pytest
from hand_case import Case, lists, pairs

from longtail.errors import UserError
from longtail.metrics.tables import NO_ITEM, ground_truth, ranked_lists


def test_lists_are_encoded_best_first_and_padded(case: Case) -> None:
    expected = [[3, 1, 2, 0], [0, 2, NO_ITEM, NO_ITEM], [NO_ITEM] * 4, [0, 1, NO_ITEM, NO_ITEM]]
    np.testing.assert_array_equal(ranked_lists(case.recommendations, case.truth), expected)


def test_order_of_rows_does_not_matter(case: Case) -> None:
    shuffled = case.recommendations.sample(frac=1.0, random_state=3)
    np.testing.assert_array_equal(
        ranked_lists(shuffled, case.truth), ranked_lists(case.recommendations, case.truth)
    )


def test_users_who_are_not_evaluated_are_left_out(case: Case) -> None:
    recommendations = lists("stranger a b", "u1 d b c a", "u2 a c", "u4 a b")
    np.testing.assert_array_equal(
        ranked_lists(recommendations, case.truth), ranked_lists(case.recommendations, case.truth)
    )


def test_no_rows_are_empty_lists(case: Case) -> None:
    nothing = ranked_lists(case.recommendations.iloc[:0], case.truth)
    assert (nothing == NO_ITEM).all()
    assert nothing.shape[0] == 4


def test_repeated_test_pairs_count_once(case: Case) -> None:
    tables = case.tables | {"test_interactions": pairs("u1 a a c d", "u2 b b", "u3 a", "u4 b e")}
    np.testing.assert_array_equal(ground_truth(**tables).relevant_pairs, case.truth.relevant_pairs)


@pytest.mark.parametrize(
    ("row", "sentence"),
    [("u1 a b a", "has an item twice"), ("u1 a zzz", "an id that is not in item_groups")],
)
def test_unusable_lists_are_rejected(case: Case, row: str, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        ranked_lists(lists(row), case.truth)


def test_repeated_ranks_are_rejected(case: Case) -> None:
    with pytest.raises(UserError, match="same rank twice"):
        ranked_lists(case.recommendations.assign(rank=1), case.truth)


@pytest.mark.parametrize(
    ("test_row", "sentence"),
    [("u1 zzz", "for example 'zzz'"), ("zzz a", "an id that is not in user_groups")],
)
def test_unknown_ids_in_the_test_are_rejected(case: Case, test_row: str, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        ground_truth(**(case.tables | {"test_interactions": pairs(test_row)}))


def test_unknown_groups_are_rejected(case: Case) -> None:
    groups = case.tables["item_groups"].assign(item_group="body")
    with pytest.raises(UserError, match="head, tail, cold"):
        ground_truth(**(case.tables | {"item_groups": groups}))
