import ibis
import pytest

from longtail.behaviour.cleaning.understood import (
    describe_cleaning,
    describe_columns,
    describe_ids,
    lines,
)
from longtail.behaviour.signals import Signals

REPORT = {"rows_in": 8, "rows_kept": 6, "rejected_by_rule": {"a": 0, "b": 2}, "mass_rejections": []}
ITEMS = REPORT | {
    "decimal_signs": {"price": "point"},
    "unreadable_price": 0,
    "usable_text": 6,
    "filled": {"price": 6},
}
LOG = REPORT | {
    "decimal_signs": {"rating": "point"},
    "timestamps": {"kind": "calendar", "unit": "seconds"},
    "period": {"first": 0, "last": 86_400},
    "ratings": {"lowest": None, "highest": None, "look_like_counts": False},
    "filled": {"rating": 0, "quantity": 0, "dwell_seconds": 0},
    "event_types": [],
}


def said(log=None, items=None, signals=None, min_rating=None):
    found = describe_cleaning(
        LOG | (log or {}), ITEMS | (items or {}), rating_column="stars", signals=signals,
        min_rating=min_rating,
    )  # fmt: skip
    return "\n".join(lines(found))


def test_columns_read_missing_and_not_used():
    mapping = {"user_id": "visitor", "item_id": "item_id", "rating": "rating", "quantity": None}
    found = "\n".join(
        lines(describe_columns("interactions", ["visitor", "item_id", "plays"], mapping))
    )
    assert "  interactions: Columns read: user_id (from visitor), item_id." in found
    assert "Not in the file: rating, quantity." in found
    assert "? interactions: Not used of the interactions file: plays." in found


@pytest.mark.parametrize(
    ("ids", "kind"),
    [
        (["a", "b1", "7"], "text"),
        (["1", "2", "x"], "text, 2 of 3 are numbers"),
        (["1", "20"], "whole numbers"),
        (["001", "20", " 02"], "numbers, 2 of 3 with zeros in front"),
        ([None, ""], "empty"),
    ],
)
def test_kinds_of_ids(ids, kind):
    table = ibis.memtable({"item_id": ids}, schema={"item_id": "string"})
    (finding,) = describe_ids("items", table, ["item_id"])
    assert finding["sentence"] == f"Ids: item_id: {kind}."


def test_ids_in_two_spellings_are_a_doubt():
    table = ibis.memtable({"user_id": ["54", "54.0", "7.0"], "item_id": ["1.0", "2.0", "2.0"]})
    _, doubt = describe_ids("interactions", table, ["user_id", "item_id"])
    assert doubt["sentence"].startswith("user_id: 2 ids such as '54.0' stand beside whole numbers")
    assert doubt["is_doubt"]


def test_facts_without_doubt():
    found = said()
    assert "?" not in found
    assert "calendar times (seconds) from 1970-01-01 to 1970-01-02" in found
    assert "interactions: 75.0% of 8 rows are kept; rejected: b 2." in found


@pytest.mark.parametrize(
    ("log", "items", "sentence", "parameter"),
    [
        ({"decimal_signs": {"rating": "unclear"}}, {}, "separate thousands", "decimal_sign"),
        ({}, {"unreadable_price": 2}, "2 of 6 prices are not readable", "decimal_sign"),
        ({}, {"usable_text": 1}, "1 of 6 items have a usable text", "items_columns"),
        ({"filled": {"rating": 5, "quantity": 0, "dwell_seconds": 0}}, {},
         "rating is filled in 5 rows but does not count", "min_rating"),
        ({"filled": {"rating": 0, "quantity": 3, "dwell_seconds": 4}}, {},
         "dwell_seconds is filled in 4 rows but does not count", "signals.quantities"),
        ({"timestamps": {"kind": "ordinal", "unit": "positions"}}, {}, "positions in a sequence",
         "timestamp_format"),
        ({"ratings": {"lowest": 1, "highest": 30, "look_like_counts": True}}, {},
         "look like counts", "interactions_columns.quantity to stars"),
        ({"event_types": [{"event_type": name, "rows": 3, "mean_weight": 1} for name in "ab"]}, {},
         "All event types count alike", "preset"),
    ],
)  # fmt: skip
def test_each_doubt_names_its_parameter(log, items, sentence, parameter):
    found = said(log, items)
    assert "?" in found
    assert sentence in found
    assert f"behaviour_cleaning.{parameter}" in found or parameter in found


def test_what_counts_is_no_doubt():
    filled = {"filled": {"rating": 5, "quantity": 3, "dwell_seconds": 0}}
    signals = Signals(event_weights={"a": 2}, ratings="threshold", quantities="log")
    assert "does not count" not in said(filled, signals=signals)
    assert "rating" not in said({"filled": filled["filled"] | {"quantity": 0}}, min_rating=3.0)
    kinds = [{"event_type": name, "rows": 3, "mean_weight": 1} for name in ("A ", "kauf")]
    assert "types kauf have no weight of their own and count 1" in said(
        {"event_types": kinds}, signals=signals
    )
