import ibis
import pandas as pd
import pytest

from longtail.behaviour.cleaning.mass_rejections import in_words, mass_rejections, nothing_left

COLUMNS = ("user_id", "item_id", "rating", "timestamp", "price", "rule")


def found(rule, column, values, known=(), rows=None, **options):
    users = [f"u{n}" for n in range(len(values))]
    frame = pd.DataFrame({"user_id": users, column: values, "rule": rule})
    frame = frame.reindex(columns=COLUMNS)
    table = ibis.memtable(frame, schema=dict.fromkeys(COLUMNS, "string"))
    catalogue = ibis.memtable({"item_id": list(known)}, schema={"item_id": "string"})
    options = {"max_share": 0.01, "catalogue": catalogue} | options
    rows = rows or 2 * len(values)
    return mass_rejections(table, {rule: len(values), "other": 0}, rows=rows, **options)


@pytest.mark.parametrize(
    ("rule", "column", "values", "known", "cause"),
    [
        ("unknown_item", "item_id", ["54.0", "7.0", "8.0"], ["54", "7"], "'.0' at the end"),
        ("unknown_item", "item_id", ["0054", "0007", "x"], ["54", "7"], "zeros in front"),
        ("unknown_item", "item_id", ["54", "7", "9"], ["0054", "0007"], "2 of 3 unknown item ids"),
        ("unknown_item", "item_id", ["b1", "b2"], ["B1", "B2"], "upper and lower case"),
        ("unknown_item", "item_id", ["b1", "b2"], ["c1"], "The items file is incomplete"),
        ("invalid_rating", "rating", ["NA", "NA", "n/a"], (), "Words stand for missing numbers"),
        ("invalid_rating", "rating", ["4,5", "3,0"], (), "decimal comma"),
        ("unreadable_price", "price", ["$1,299.00", "$9.99"], (), "currency signs"),
        ("unparsable_timestamp", "timestamp", ["31/12/2020"], (), "ISO 8601"),
        ("missing_timestamp", "timestamp", [None, None], (), "protocol=per_user"),
    ],
)
def test_the_likely_cause_is_named(rule, column, values, known, cause):
    (finding,) = found(rule, column, values, known)
    assert (finding["rule"], finding["rows"], finding["share"]) == (rule, len(values), 0.5)
    assert cause in finding["likely_cause"]
    sentence = in_words(finding, "interactions")
    assert f"{rule}: 50.0% of the interactions file ({len(values)} rows)" in sentence
    assert all(f"'{value or ''}'" in sentence for value in finding["examples"])


def test_the_most_frequent_values_are_the_examples():
    values = ["a"] * 3 + ["b"] * 2 + ["c" * 100] * 4 + ["d"]
    (finding,) = found("invalid_rating", "rating", values)
    assert finding["examples"] == ["c" * 60, "a", "b"]
    (finding,) = found("invalid_rating", "rating", values, min_users=3)
    assert finding["examples"] == ["c" * 60, "a"]


def test_few_rows_and_rules_that_were_asked_for_are_no_mass_rejection():
    assert not found("invalid_rating", "rating", ["NA"], rows=100)
    assert found("invalid_rating", "rating", ["NA"], rows=99)
    assert not found("below_min_rating", "rating", ["1"] * 9)


@pytest.mark.parametrize(
    ("rule", "column", "value", "expected"),
    [
        ("below_min_rating", "rating", "2", "behaviour_cleaning.min_rating is above"),
        ("rejected_item", "item_id", "i1", "non_product_patterns"),
        ("outside_k_core", "item_id", "i1", "behaviour_cleaning.k_core is too large"),
        ("unparsable_timestamp", "timestamp", "31/12/2020", "timestamp_format"),
        ("unknown_item", "item_id", "x", "The items file is incomplete"),
    ],
)
def test_where_nothing_is_left_rule_values_and_what_is_read_are_named(
    rule, column, value, expected
):
    frame = pd.DataFrame({"user_id": ["u1", "u2"], column: value, "rule": rule})
    table = ibis.memtable(frame.reindex(columns=COLUMNS), schema=dict.fromkeys(COLUMNS, "string"))
    report = {"rows_in": 2, "rejected_by_rule": {"other": 0, rule: 2}}
    readable = {"timestamp": "Read are unix times.", "item_id": "Read are 'a', 'b'."}
    said = nothing_left(table, report, file="interactions", readable=readable)
    assert said.startswith("No interaction is left of the 2 rows of the interactions file")
    assert f"{rule}: 100.0% of the interactions file (2 rows), for example '{value}'" in said
    assert expected in said
    # What would be read is not said of a rule that a parameter asks for.
    is_asked_for = rule in ("below_min_rating", "rejected_item", "outside_k_core")
    assert ("Read are" in said) is not is_asked_for
    assert "belong" not in said
