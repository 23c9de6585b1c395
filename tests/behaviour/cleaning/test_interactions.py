from datetime import UTC, datetime

import ibis
import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from longtail.behaviour.cleaning.bots import BotDetection
from longtail.behaviour.cleaning.interaction_rules import InteractionSettings
from longtail.behaviour.cleaning.interactions import INTERACTION_COLUMNS, clean_interactions
from longtail.behaviour.cleaning.typed_rows import RAW_COLUMNS
from longtail.errors import UserError

DAY = 86_400
NOON = int(datetime(2020, 1, 1, 12, tzinfo=UTC).timestamp())
EARLIEST = int(datetime(1990, 1, 1, tzinfo=UTC).timestamp())
LATEST = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())
ITEMS = ["a", "b", "c"]
# Every example takes most of a second.
WITHOUT_SHRINKING = (Phase.explicit, Phase.reuse, Phase.generate)


def settings_for(**changes):
    defaults = {
        "timestamps": "auto",
        "protocol": "auto",
        "earliest": EARLIEST,
        "latest": LATEST,
        "min_rating": None,
    }
    return InteractionSettings(**(defaults | changes))


def table(rows, columns=RAW_COLUMNS):
    return ibis.memtable(
        pd.DataFrame(rows, columns=list(columns)), schema=dict.fromkeys(columns, "string")
    )


def catalogue(items, rejected=()):
    frame = pd.DataFrame({"item_id": [*items, *rejected]})
    return ibis.memtable(
        frame.assign(kept=frame["item_id"].isin(items)),
        schema={"item_id": "string", "kept": "boolean"},
    )


def clean(rows, items=ITEMS, rejected_items=(), **changes):
    """Return kept rows, rejected rows and the report."""
    result = clean_interactions(
        table(rows), catalogue(items, rejected_items), settings_for(**changes)
    )
    kept, rejected = result.interactions.to_pandas(), result.rejected.to_pandas()
    report = result.report
    assert list(kept.columns) == list(INTERACTION_COLUMNS)
    assert report["rows_in"] == len(rows) == report["rows_kept"] + report["rows_rejected"]
    assert (len(kept), len(rejected)) == (report["rows_kept"], report["rows_rejected"])
    assert rejected["rule"].value_counts().to_dict() == {
        rule: n for rule, n in report["rejected_by_rule"].items() if n
    }
    assert rejected["reason"].notna().all()
    return kept, rejected, report


def row(user="u", item="a", event=None, rating=None, time=str(NOON), quantity=None, dwell=None):
    return [user, item, event, rating, quantity, dwell, time]


GOOD = [row(user=f"good{i}", item=item) for i in range(30) for item in ITEMS]


BAD = [
    (row(user=None), "missing_user_id"),
    (row(user="  "), "missing_user_id"),
    (row(item=None), "missing_item_id"),
    (row(item=""), "missing_item_id"),
    (row(item="z"), "unknown_item"),
    (row(time="yesterday"), "unparsable_timestamp"),
    (row(time="nan"), "unparsable_timestamp"),
    (row(time="inf"), "unparsable_timestamp"),
    (row(time="1e300"), "unparsable_timestamp"),
    (row(time="0"), "implausible_timestamp"),
    (row(time="1989-12-31"), "implausible_timestamp"),
    (row(time="2031-01-01T00:00:00Z"), "implausible_timestamp"),
    (row(time=None), "missing_timestamp"),
    (row(rating="good"), "invalid_rating"),
    (row(rating="NaN"), "invalid_rating"),
    (row(rating="-inf"), "invalid_rating"),
    (row(quantity="many"), "invalid_quantity"),
    (row(dwell="long"), "invalid_dwell_seconds"),
    (row(rating="3.4"), "below_min_rating"),
    (row(item="postage"), "rejected_item"),
    (row(user="good0"), "duplicate"),
    (row(user="good1", time=str(NOON + 1)), "double_click"),
]


def test_each_rule_rejects_its_rows_with_its_reason():
    kept, rejected, _ = clean(
        [*GOOD, *(bad for bad, _ in BAD)],
        rejected_items=["postage"],
        min_rating=3.5,
        protocol="temporal",
        double_click_seconds=1,
    )
    assert len(kept) == len(GOOD)
    as_read = rejected[list(RAW_COLUMNS)].astype(object).where(lambda table: table.notna(), None)
    rules = dict(zip(map(tuple, as_read.to_numpy().tolist()), rejected["rule"], strict=True))
    assert rules == {tuple(bad): rule for bad, rule in BAD}


def test_rejected_rows_are_as_read():
    _, rejected, _ = clean([*GOOD, row(user=" u", event="view", rating="x7", time=" 12 ")])
    assert rejected[
        ["user_id", "item_id", "event_type", "rating", "timestamp"]
    ].to_numpy().tolist() == [[" u", "a", "view", "x7", " 12 "]]


def test_all_time_formats_become_unix_seconds():
    times = {
        "u1": str(NOON),
        "u2": str(NOON * 1000 + 1),
        "u3": f"{NOON}.75",
        "u4": "2020-01-01T12:00:00Z",
        "u5": "2020-01-01 12:00:00",
        "u6": "2020-01-01T14:00:00+02:00",
        "u7": "2020-01-01T12:00:00.500",
        "u8": "2020-01-01T08:30-0330",
        "u9": "2020-01-01T13:00:00.25+01",
    }
    kept, _, report = clean([row(user=user, time=time) for user, time in times.items()])
    assert kept["timestamp"].tolist() == [NOON] * len(times)
    assert report["timestamps"] == {
        "kind": "calendar",
        "unit": "seconds and milliseconds",
        "calendar_share": 1.0,
    }


def test_small_numbers_are_positions_and_rows_without_one_are_kept():
    kept, _, report = clean([row(time="1"), row(item="b", time="2"), row(item="c", time=None)])
    assert report["timestamps"]["kind"] == "ordinal"
    assert kept["timestamp"].tolist()[:2] == [1, 2]


def test_the_kind_of_times_can_be_set():
    kept, _, report = clean([row(time="200000000"), row(item="b", time="5")], timestamps="ordinal")
    assert (len(kept), report["timestamps"]["kind"]) == (2, "ordinal")


def test_no_times_at_all():
    kept, _, report = clean([row(time=None), row(item="b", time="")])
    assert (len(kept), report["timestamps"]["kind"]) == (2, "none")


def test_auto_keeps_rows_without_time_if_there_are_many():
    kept, _, _ = clean([row(), row(item="b", time=None)])
    assert len(kept) == 2


def test_temporal_rejects_all_rows_without_time():
    _, rejected, _ = clean([row(), row(item="b", time=None)], protocol="temporal")
    assert rejected["rule"].tolist() == ["missing_timestamp"]


@pytest.mark.parametrize(("time", "found"), [("3", "positions"), (None, "no times")])
def test_temporal_needs_calendar_times(time, found):
    with pytest.raises(UserError, match=f"holds {found}.*timestamp.*protocol to per_user"):
        clean([row(time=time)], protocol="temporal")


def test_rows_without_rating_pass_the_minimum():
    kept, _, _ = clean([row(), row(item="b", rating="4"), row(item="c", rating="")], min_rating=3.5)
    assert kept["rating"].isna().tolist() == [True, False, True]


def test_repeats_are_kept_but_exact_duplicates_are_not():
    kept, rejected, _ = clean(
        [row(time=str(NOON + 5)), row(time=None), row(time=str(NOON)), row(time=str(NOON))],
        protocol="per_user",
    )
    assert kept["timestamp"].fillna(0).tolist() == [NOON, NOON + 5, 0]
    assert rejected["rule"].tolist() == ["duplicate"]


def test_only_the_first_of_a_burst_of_clicks_is_kept():
    times = [NOON, NOON + 2, NOON + 3, NOON + 5, NOON + 8]
    rows = [row(event="click", time=str(time)) for time in times]
    rows += [row(event="buy", time=str(NOON + 1)), row(event="click", item="b")]
    kept, rejected, _ = clean(rows, double_click_seconds=2)
    clicks = kept[(kept["event_type"] == "click") & (kept["item_id"] == "a")]
    assert clicks["timestamp"].tolist() == [NOON, NOON + 8]
    assert rejected["rule"].tolist() == ["double_click"] * 3


def test_order_lines_and_positions_are_not_double_clicks():
    lines = [row(quantity="2"), row(quantity="3", time=str(NOON + 1))]
    assert len(clean(lines, double_click_seconds=9)[0]) == 2
    assert len(clean([row(time="1"), row(time="2")], double_click_seconds=9)[0]) == 2


def test_all_rows_of_bots_are_rejected():
    humans = [
        row(user=f"u{u}", item="abc"[k % 3], time=str(NOON + DAY * k * (1 + (u + k) % 5) + u))
        for u in range(30)
        for k in range(6)
    ]
    crawler = [
        row(user="crawler", item=item, time=str(NOON + 60 * i))
        for i, item in enumerate(["a", "b", "c", *(f"i{n}" for n in range(60))])
    ]
    items = [*ITEMS, *(f"i{n}" for n in range(60))]
    for method in ("robust_z", "isolation_forest"):
        bots = BotDetection(method=method, share=0.04, min_events=5)
        kept, rejected, _ = clean([*humans, *crawler], items, bots=bots)
        assert set(rejected.loc[rejected["rule"] == "bot", "user_id"]) >= {"crawler"}
        assert "crawler" not in set(kept["user_id"])
        assert kept["user_id"].nunique() >= 28


def test_the_cost_of_a_k_core_is_reported():
    rows = [row(user=f"u{u}", item=item) for u in range(10) for item in ("a", "b")]
    kept, rejected, report = clean([*rows, row(user="u1", item="c"), row(user="new")], k_core=2)
    assert set(kept["item_id"]) == {"a", "b"}
    assert sorted(rejected["user_id"]) == ["new", "u1"]
    assert report["k_core"] == {
        "k": 2, "pairs": 22, "pairs_lost": 2, "items": 3, "items_lost": 1, "tail_items": 2,
        "tail_items_lost": 1, "users": 11, "users_lost": 1, "quiet_users": 9,
        "quiet_users_lost": 1,
    }  # fmt: skip


def test_equal_values_in_different_formats_are_duplicates():
    rows = [row(rating="4", time="2020-01-01T12:00:00Z"), row(rating="4.0", time=str(NOON))]
    _, rejected, _ = clean(rows)
    assert rejected["rule"].tolist() == ["duplicate"]


def test_the_error_without_rows_left_gives_the_rules():
    with pytest.raises(UserError, match=r"No interaction is left of the 2 rows.*unknown_item 2"):
        clean([row(item="x"), row(item="y")])


RAW_ROWS = st.lists(
    st.tuples(
        st.sampled_from(["u", "v", "w", None]),
        st.sampled_from(["a", "b", "x", ""]),
        st.sampled_from(["view", None]),
        st.sampled_from(["1", "4", "4.0", "nan", None]),
        st.sampled_from([str(NOON), f"{NOON}000", str(NOON + DAY), "0", "?", None]),
        st.sampled_from(["1", "2", None]),
    ).map(lambda values: row(*values)),
    min_size=1,
    max_size=12,
).map(lambda rows: [row(user="sure"), *rows])


@settings(max_examples=8, deadline=None, phases=WITHOUT_SHRINKING)
@given(rows=RAW_ROWS, order=st.randoms(use_true_random=False))
def test_every_row_is_kept_or_rejected_whatever_their_order(rows, order):
    kept, rejected, report = clean(rows, min_rating=3.5)
    shuffled = list(rows)
    order.shuffle(shuffled)
    again, rejected_again, report_again = clean(shuffled, min_rating=3.5)
    pd.testing.assert_frame_equal(kept, again)
    pd.testing.assert_frame_equal(rejected, rejected_again)
    assert report == report_again


@settings(max_examples=8, deadline=None, phases=WITHOUT_SHRINKING)
@given(rows=RAW_ROWS)
def test_cleaning_clean_interactions_changes_nothing(rows):
    without_quantities = [[*values[:4], None, *values[5:]] for values in rows]
    kept, _, _ = clean(without_quantities, protocol="per_user")
    as_text = kept.reindex(columns=list(RAW_COLUMNS))
    as_text = as_text.astype({"rating": "string", "timestamp": "Int64"})
    as_text = as_text.astype("string").astype(object).where(as_text.notna(), None)
    again, rejected, _ = clean(as_text.to_numpy().tolist(), protocol="per_user")
    pd.testing.assert_frame_equal(kept, again)
    assert rejected.empty


def test_copies_of_many_rows_are_duplicates_not_double_clicks():
    rows = [
        row(user=f"u{user}", item=item, dwell=str(dwell), time=str(NOON + 100 * dwell))
        for user in range(40)
        for item in ITEMS
        for dwell in range(10)
    ]
    kept, rejected, _ = clean([*rows, *rows, *rows], double_click_seconds=2)
    assert len(kept) == len(rows)
    assert set(rejected["rule"]) == {"duplicate"}


@pytest.mark.parametrize(
    "times",
    [
        ["0.0", "0.1", "0.25", "0.5", "0.7", "1.0"],
        ["1.5", "2", "2.25", "10", "10.5", "11"],
        ["-1.5", "-0.5", "0", "1e-9", "2e-9", "1"],
        ["43831.5", "43831.5001", "43831.6", "43832", "43832.25", "43900"],
    ],
    ids=["scaled to 0..1", "fractional positions", "negative", "spreadsheet days"],
)
def test_fractional_times_keep_their_order(times):
    rows = [row(user=f"u{n}", item="a", time=time) for n, time in enumerate(times)]
    twice = [*rows, row(user="u0", item="b", time=times[0]), row(user="u0", time=times[1])]
    kept, rejected, _ = clean(twice[::-1])
    assert len(rejected) == 0
    by_user = kept.drop_duplicates("user_id").set_index("user_id")["timestamp"].sort_index()
    assert by_user.is_monotonic_increasing
    assert by_user.is_unique
    first = kept.loc[kept["user_id"] == "u0"].set_index(["item_id"])["timestamp"]
    assert first.loc["b"] == by_user["u0"]
    assert sorted(first.loc["a"]) == by_user[["u0", "u1"]].tolist()


@pytest.mark.parametrize(
    ("times", "unit"),
    [
        ([str(NOON), str(NOON + DAY)], "seconds"),
        ([f"{NOON}000", f"{NOON + DAY}999"], "milliseconds"),
        ([f"{NOON}000000", f"{NOON + DAY}999999"], "microseconds"),
        ([f"{NOON}000000000", f"{NOON + DAY}000000001"], "nanoseconds"),
        (["43831.5", "43832.5"], "spreadsheet days"),
        (["2020-01-01 12:00", "2020-01-02 12:00"], "ISO 8601"),
    ],
)
def test_the_unit_of_times_is_recognised(times, unit):
    kept, _, report = clean(
        [row(item=item, time=time) for item, time in zip("ab", times, strict=True)]
    )
    assert kept["timestamp"].tolist() == [NOON, NOON + DAY]
    assert report["timestamps"] == {"kind": "calendar", "unit": unit, "calendar_share": 1.0}


def test_dates_as_numbers_are_dates_unless_the_parameter_says_positions():
    rows = [row(time="20200101"), row(item="b", time="20200102.0")]
    kept, _, report = clean(rows)
    assert kept["timestamp"].tolist() == [NOON - DAY // 2, NOON + DAY // 2]
    assert report["timestamps"]["unit"] == "yyyymmdd"
    kept, _, report = clean(rows, timestamps="ordinal")
    assert kept["timestamp"].tolist() == [20200101, 20200102]
    _, _, report = clean([row(time="20200101"), row(item="b", time="20200132")])
    assert report["timestamps"]["unit"] == "positions"


WORDS = ("nan", "none", "null")


@pytest.mark.parametrize("text", ["nan", "NaN", "None", "NULL"])
def test_words_for_missing_ids_are_missing(text):
    rows = [row(), row(user=text), row(item=text)]
    _, rejected, report = clean(rows, missing_ids=WORDS)
    assert rejected["user_id"].tolist() in ([text, "u"], ["u", text])
    assert report["rejected_by_rule"]["missing_user_id"] == 1
    assert report["rejected_by_rule"]["missing_item_id"] == 1
    kept, _, _ = clean([row(), row(user=text)])
    assert len(kept) == 2
