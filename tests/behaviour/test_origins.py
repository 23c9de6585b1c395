import ibis
import pandas as pd
import pytest

from longtail.behaviour.origins import split_at_origin
from longtail.behaviour.signals import Signals
from longtail.behaviour.splits import SPLITS, SplitSettings
from longtail.errors import UserError

SCHEMA = {"user_id": "string", "item_id": "string", "timestamp": "int64", "weight": "float64"}
START = 1_500_000_000


def splits(rows, origin, protocol="temporal", signals=None):
    """Return the items of each split, by user."""
    events = pd.DataFrame(rows, columns=list(SCHEMA)).astype({"timestamp": "Int64"})
    settings = SplitSettings(protocol, earliest=0, seed=1)
    found = split_at_origin(ibis.memtable(events, schema=SCHEMA), settings, signals, origin)
    frame = found.interactions.to_pandas()
    return {
        name: sorted(frame.loc[frame["split"] == name, ["user_id", "item_id"]].agg("".join, axis=1))
        for name in SPLITS
    }


def test_the_test_period_of_an_origin_is_cut_off_the_next_one():
    rows = [(f"u{i % 2}", f"i{i:03}", START + i, 1.0) for i in range(100)]
    found = [splits(rows, origin) for origin in range(3)]

    def numbers(names):
        return [int(name[-3:]) for name in sorted(names, key=lambda name: name[-3:])]

    # 100, 90 and 81 interactions; periods start at the 80 % and the 90 % quantile, rounded up.
    assert numbers(found[0]["validation"]) == list(range(80, 90))
    assert numbers(found[0]["test"]) == list(range(90, 100))
    assert numbers(found[1]["validation"]) == list(range(72, 81))
    assert numbers(found[1]["test"]) == list(range(81, 90))
    assert numbers(found[2]["validation"]) == list(range(64, 72))
    assert numbers(found[2]["test"]) == list(range(72, 81))
    assert numbers(found[2]["train"]) == list(range(64))


def test_each_user_has_own_earlier_origins_where_there_is_no_common_cut():
    rows = [("u", f"i{i:02}", i, 1.0) for i in range(10)] + [("v", "a", 5, 1.0)]
    first, second, third = (splits(rows, origin, "per_user") for origin in range(3))
    assert (first["validation"], first["test"]) == (["ui07"], ["ui08", "ui09"])
    assert (second["validation"], second["test"]) == (["ui05"], ["ui06", "ui07"])
    assert (third["validation"], third["test"]) == (["ui04"], ["ui05"])
    assert all("va" in found["train"] for found in (first, second, third))


@pytest.mark.parametrize("protocol", ["temporal", "per_user"])
def test_later_events_weigh_nothing_at_an_earlier_origin(protocol):
    log = [("u", f"i{i:02}", START + i, 1.0) for i in range(10)]
    signals = Signals(event_weights={"view": 1.0}, saturation=2.0)
    settings = SplitSettings(protocol, earliest=0, seed=1)

    def at_origin_1(rows):
        events = ibis.memtable(pd.DataFrame(rows, columns=list(SCHEMA)), schema=SCHEMA)
        table = split_at_origin(events, settings, signals, 1).interactions
        return table.order_by("user_id", "item_id").to_pandas()

    # After the end of the log of origin 1: a return of a test item and repeats of others.
    later = [("u", "i07", START + 11, -5.0), ("u", "i01", START + 12, 3.0)]
    pd.testing.assert_frame_equal(at_origin_1(log), at_origin_1(log + later))


def test_a_log_without_order_has_one_origin():
    rows = [("u", f"i{i}", None, 1.0) for i in range(10)]
    assert splits(rows, 0, "per_user")["test"]
    with pytest.raises(UserError, match="no order in time"):
        splits(rows, 1, "per_user")
    with pytest.raises(UserError, match="item_cold hides items or users"):
        splits([("u", f"i{i}", i, 1.0) for i in range(10)], 1, "item_cold")
