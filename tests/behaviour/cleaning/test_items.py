from itertools import permutations

import ibis
import pandas as pd
import pytest

from longtail.behaviour.cleaning.items import ITEM_COLUMNS, ItemSettings, clean_items
from longtail.errors import UserError


def clean(*rows, **settings):
    frame = pd.DataFrame(list(rows), columns=list(ITEM_COLUMNS))
    raw = ibis.memtable(frame, schema=dict.fromkeys(ITEM_COLUMNS, "string"))
    result = clean_items(raw, ItemSettings(**settings))
    kept, rejected, report = result.items.to_pandas(), result.rejected.to_pandas(), result.report
    assert report["rows_in"] == len(rows) == len(kept) + len(rejected)
    return kept, rejected, report


def item(item_id, title="Lamp", *, description=None, categories=None, brand=None, price=None):
    return [item_id, title, description, categories, brand, price]


def test_items_are_typed_and_sorted():
    kept, _, _ = clean(item("b", "  Oak lamp ", price="1.5"), item("10"), item("9", price=""))
    assert kept["item_id"].tolist() == ["10", "9", "b"]
    assert kept["title"].tolist() == ["Lamp", "Lamp", "Oak lamp"]
    assert kept["description"].tolist() == ["", "", ""]
    assert kept["price"].tolist()[2] == 1.5
    assert kept["price"].isna().tolist() == [True, True, False]


@pytest.mark.parametrize("empty", [None, "", "  "])
def test_items_without_id_are_rejected(empty):
    _, rejected, report = clean(item("a"), item(empty))
    assert rejected["rule"].tolist() == ["missing_item_id"]
    assert report["rejected_by_rule"] == {"missing_item_id": 1, "duplicate_item_id": 0}


def test_of_duplicate_ids_the_fullest_row_is_kept_whatever_the_order():
    poor, rich, other = item("a"), item("a", brand="Oak & Co"), item("a", "Lamp, oak")
    results = [clean(*rows) for rows in ([poor, rich, other], [other, rich, poor])]
    for kept, rejected, report in results:
        assert kept["brand"].tolist() == ["Oak & Co"]
        assert report["rejected_by_rule"]["duplicate_item_id"] == 2
        pd.testing.assert_frame_equal(rejected, results[0][1])


def test_identical_duplicates_leave_one():
    kept, rejected, _ = clean(item("a"), item("a"))
    assert (len(kept), rejected["rule"].tolist()) == (1, ["duplicate_item_id"])


def test_items_without_text_are_kept_and_counted():
    kept, _, report = clean(item("a", None, price="3"), item("b", " "), item("c"))
    assert len(kept) == 3
    assert report["without_text"] == 2
    assert report["filled"] == {
        "title": 1, "description": 0, "categories": 0, "brand": 0, "price": 1,
    }  # fmt: skip


@pytest.mark.parametrize("price", ["cheap", "nan", "inf"])
def test_unreadable_prices_become_null_and_are_counted(price):
    kept, _, report = clean(item("a", price=price))
    assert kept["price"].isna().all()
    assert report["unreadable_price"] == 1


def test_texts_are_cleaned_and_counted_unless_switched_off():
    _, _, report = clean(item("a", "Salt &amp; pepper"), item("b"))
    assert report["texts_cleaned"] == {"title": 1, "description": 0, "categories": 0, "brand": 0}
    kept, _, _ = clean(item("a", "Salt &amp; pepper"), clean_text=False)
    assert kept["title"].tolist() == ["Salt &amp; pepper"]


def test_items_that_are_not_products_are_rejected_by_pattern():
    rows = [item("POST", "Postage"), item("a"), item("b", "10% Discount"), item("postcard")]
    kept, rejected, _ = clean(*rows, non_product_patterns=("^post$", "discount"))
    assert kept["item_id"].tolist() == ["a", "postcard"]
    assert rejected["rule"].tolist() == ["non_product", "non_product"]


def test_no_item_left_is_an_error():
    with pytest.raises(UserError, match=r"No item is left of the 2 rows.*items_columns.item_id"):
        clean(item(None), item(""))


def test_words_for_missing_ids_are_missing():
    _, rejected, _ = clean(item("a"), item("NaN"), missing_ids=("nan",))
    assert rejected["rule"].tolist() == ["missing_item_id"]


def test_texts_with_the_separator_do_not_depend_on_the_order_of_the_file():
    rows = [item("a", title, description=text) for title, text in
            [("x|y", "z"), ("x", "y|z"), ("x|y|z", ""), ("x", "y|z")]]  # fmt: skip
    kept = {clean(*order)[0]["title"].iloc[0] for order in permutations(rows)}
    assert len(kept) == 1


def test_prices_beyond_range_are_unreadable_and_their_rows_stay():
    kept, _, report = clean(item("a", price="1e300"), item("b", price="9.99"))
    assert kept["price"].fillna(0).tolist() == [0, 9.99]
    assert report["unreadable_price"] == 1
