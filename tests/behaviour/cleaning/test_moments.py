"""Times of other formats, and the order of what happens within one second."""

import ibis
import pandas as pd
import pytest

from longtail.behaviour.cleaning.interaction_rules import InteractionSettings
from longtail.behaviour.cleaning.interactions import clean_interactions
from longtail.behaviour.cleaning.typed_rows import RAW_COLUMNS
from longtail.behaviour.histories import build_histories
from longtail.behaviour.pairs import split_pairs
from longtail.behaviour.schemas import SplitSchema
from longtail.behaviour.signals import Signals
from longtail.behaviour.splits import SPLITS, SplitSettings, fold_in_table, split_table
from longtail.errors import UserError

EARLIEST, LATEST = 631_152_000, 1_900_000_000
START = 1_600_000_000
N_ITEMS = 20


def raw(rows):
    frame = pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"])
    frame = frame.reindex(columns=list(RAW_COLUMNS))
    return ibis.memtable(frame, schema=dict.fromkeys(RAW_COLUMNS, "string"))


def clean(rows, **changes):
    items = sorted({row[1] for row in rows})
    catalogue = ibis.memtable(pd.DataFrame({"item_id": items, "kept": [True] * len(items)}))
    settings = InteractionSettings(
        **{"timestamps": "auto", "protocol": "auto", "earliest": EARLIEST, "latest": LATEST}
        | changes
    )
    return clean_interactions(raw(rows), catalogue, settings)


def iso(step):
    return f"2020-09-13T12:26:40.{step:03d}Z"


WRITTEN = {
    "milliseconds": lambda step: str(1000 * START + step),
    "microseconds": lambda step: str(10**6 * START + 3 * step),
    "float seconds": lambda step: f"{START}.{step:03d}",
    "ISO": iso,
    "ISO with zone": lambda step: iso(step).replace("12:", "14:").replace("Z", "+02:00"),
    "format": lambda step: f"13/09/2020 12:26:40.{step:03d}",
}


@pytest.mark.parametrize("protocol", ["per_user", "user_cold", "temporal"])
@pytest.mark.parametrize("signals", [None, Signals(saturation=5, half_life_days=10)])
@pytest.mark.parametrize("written", ["milliseconds", "ISO"])
def test_order_within_a_second_reaches_the_histories(written, protocol, signals):
    users = [f"u{user}" for user in range(20)]
    in_order = [f"i{(7 * step) % N_ITEMS:02d}" for step in range(N_ITEMS)]
    rows = [
        (user, item, WRITTEN[written](step)) for user in users for step, item in enumerate(in_order)
    ]
    # One more, so that a split in time has a later period.
    rows += [(user, "later", str(START + 1000 + n)) for n, user in enumerate(users)]
    found = clean(rows, double_click_seconds=None)
    assert found.report["rows_kept"] == len(rows)
    assert set(found.interactions.to_pandas()["timestamp"].astype(int)) >= {START}
    assert "moment" not in found.interactions.columns
    settings = SplitSettings(protocol=protocol, earliest=EARLIEST, seed=1, fold_in=(0, 3))
    assignment = split_pairs(found.events, settings, signals)
    tables = [split_table(assignment.interactions, split).to_pandas() for split in SPLITS]
    for table in tables:
        SplitSchema.validate(table)
    past = pd.concat(tables)
    items = sorted({*in_order, "later"})
    histories = build_histories(
        past, pd.Index(users).to_numpy(), pd.Index(items).to_numpy(), seed=1
    )
    for index in range(len(users)):
        mine = [items[item] for item in histories.items[histories.users == index]]
        assert mine == [item for item in [*in_order, "later"] if item in mine]
        assert len(mine) >= (1 if protocol == "user_cold" else N_ITEMS)
    folded = fold_in_table(assignment.interactions, seed=1).to_pandas()
    for _, rows_of_user in folded.groupby("user_id"):
        assert rows_of_user["item_id"].tolist() == in_order[:3]


@pytest.mark.parametrize("written", WRITTEN)
def test_fractions_are_read_from_every_form(written):
    rows = [("u", f"i{step}", WRITTEN[written](step)) for step in (0, 1, 700, 999)]
    time_format = "%d/%m/%Y %H:%M:%S.%f" if written == "format" else None
    found = clean(rows, double_click_seconds=None, timestamp_format=time_format)
    events = found.events.order_by("moment").to_pandas()
    assert events["item_id"].tolist() == ["i0", "i1", "i700", "i999"]
    assert events["timestamp"].tolist() == [START] * 4


def test_whole_seconds_need_no_further_column():
    rows = [("u", f"i{step}", str(START + step)) for step in range(10)]
    found = clean(rows)
    assert "moment" not in found.events.columns
    fractions = clean([*rows, ("v", "i1", f"{START}.5")])
    settings = SplitSettings(protocol="per_user", earliest=EARLIEST, seed=1)
    pairs = split_pairs(fractions.events, settings, None).interactions
    assert "position" not in pairs.columns
    assert split_table(pairs, "train").columns == ("user_id", "item_id", "timestamp", "weight")


FORMATS = {
    "%d/%m/%Y %H:%M": "03/02/2020 10:30",
    "%m/%d/%Y %H:%M": "02/03/2020 10:30",
    "%a, %d %b %Y %H:%M:%S GMT": "Mon, 03 Feb 2020 10:30:00 GMT",
    "%d.%m.%y %H:%M %z": "03.02.20 12:30 +0200",
}


@pytest.mark.parametrize(("time_format", "text"), FORMATS.items())
def test_times_of_a_stated_format_are_read(time_format, text):
    good = [("u", "a", f" {text} "), ("u", "b", text)]
    found = clean([*good, ("u", "c", "20200203"), ("v", "a", "")], timestamp_format=time_format)
    kept = found.interactions.to_pandas()
    assert kept["timestamp"].dropna().tolist() == [1_580_725_800] * 2
    assert found.report["timestamps"]["kind"] == "calendar"
    assert found.report["timestamps"]["unit"] == f"format {time_format}"
    rejected = found.rejected.to_pandas()
    assert rejected["timestamp"].tolist() == ["20200203"]
    assert rejected["reason"].tolist() == [f"The timestamp does not have the format {time_format}."]


def test_without_the_format_the_sentence_names_the_parameter():

    rows = [("u", f"i{n}", f"{n + 13}/02/2020 10:30") for n in range(9)]
    with pytest.raises(UserError, match=r"timestamp_format.*%d.%m.%Y %H:%M") as caught:
        clean(rows)
    assert "'13/02/2020 10:30'" in str(caught.value)


@pytest.mark.parametrize(
    ("ratings", "expected"),
    [
        (["1", "30", "2"], True),
        (["1", "5"], False),
        (["10", "7"], False),
        (["100", "55"], False),
        (["12.5", "1"], False),
        (["-1", "20"], False),
        ([None, None], False),
    ],
)
def test_ratings_that_look_like_counts_are_found(ratings, expected):
    frame = pd.DataFrame({"user_id": "u", "item_id": "a", "rating": ratings})
    frame["timestamp"] = [str(START + 100 * n) for n in range(len(ratings))]
    frame = frame.reindex(columns=list(RAW_COLUMNS))
    table = ibis.memtable(frame, schema=dict.fromkeys(RAW_COLUMNS, "string"))
    catalogue = ibis.memtable(pd.DataFrame({"item_id": ["a"], "kept": [True]}))
    settings = InteractionSettings("auto", "auto", EARLIEST, LATEST)
    report = clean_interactions(table, catalogue, settings).report
    assert report["ratings"]["look_like_counts"] is expected
