import numpy as np
import pandas as pd

from longtail.recommenders.content.attributes import attribute_vectors


def items(**columns: list[object]) -> pd.DataFrame:
    size = len(next(iter(columns.values())))
    empty = {"categories": [""] * size, "brand": [""] * size, "price": [np.nan] * size}
    return pd.DataFrame(empty | columns)


def cosines(table: pd.DataFrame, reference: np.ndarray | None = None) -> np.ndarray:
    known = np.ones(len(table), bool) if reference is None else reference
    vectors = attribute_vectors(table, known, 50, 0)
    return vectors @ vectors.T


def test_equal_brands_are_equal_without_case_and_spaces() -> None:
    found = cosines(items(brand=["Lego", " lego ", "Playmobil", ""]))
    np.testing.assert_allclose(found[:3, :3], [[1, 1, 0], [1, 1, 0], [0, 0, 1]], atol=1e-6)
    np.testing.assert_array_equal(found[3], 0)


def test_a_rare_shared_category_counts_more_than_a_frequent_one() -> None:
    found = cosines(items(categories=["Toys|Puzzles", "Toys, Puzzles", "Toys > Cars", "Toys"]))
    assert found[0, 1] > found[0, 2] > 0
    np.testing.assert_allclose(found[0, 1], 1, atol=1e-6)


def test_close_prices_are_close() -> None:
    found = cosines(items(price=[float(price) for price in range(1, 21)]))
    np.testing.assert_allclose(found[0, :2], 1, atol=1e-6)
    assert found[0, 2] > found[0, 19] == 0


def test_brand_and_category_count_alike() -> None:
    table = items(brand=["a", "a", "b"], categories=["x", "y", "x"])
    found = cosines(table)
    np.testing.assert_allclose(found[0, 1:], 0.5, atol=0.01)


def test_values_of_later_items_are_unknown() -> None:
    table = items(brand=["a", "a", "new"])
    assert attribute_vectors(table, np.array([True, True, False]), 50, 0).shape == (3, 1)


def test_many_values_become_few_dimensions() -> None:
    table = items(brand=[f"b{number % 30}" for number in range(90)])
    vectors = attribute_vectors(table, np.ones(90, bool), 8, 0)
    assert vectors.shape == (90, 8)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)


def test_a_catalogue_without_attributes_has_no_dimensions() -> None:
    assert attribute_vectors(pd.DataFrame(), np.ones(4, bool), 8, 0).shape == (4, 0)
    assert attribute_vectors(items(brand=["", ""]), np.ones(2, bool), 8, 0).shape == (2, 0)
