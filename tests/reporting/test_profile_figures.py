import ibis
import pandas as pd
import pytest

from longtail.behaviour.cleaning.items import TEXT_COLUMNS
from longtail.behaviour.profile import profile_data
from longtail.reporting.figures.profile import PLOTS
from longtail.reporting.profile_terminal import print_profile

START = 1_577_836_800
MONTH = 31 * 86_400
REPORT = {
    "dislikes": {"test": {"pairs": 3, "chosen_later": 1}},
    "interactions": {"rows_in": 40, "rows_kept": 38, "rejected_by_rule": {"duplicate": 2}},
    "items": {"filled": dict.fromkeys((*TEXT_COLUMNS, "price"), 3), "rejected_by_rule": {}},
}


def profile(first=START, min_group_size=1):
    rows = [(f"u{u}", f"i{i}", first + i * MONTH) for u in range(9) for i in range(1 + u % 4)]
    pairs = ibis.memtable(pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"]))
    items = ibis.memtable(pd.DataFrame({"item_id": [f"i{i}" for i in range(6)]}))
    return profile_data(items, pairs, REPORT, min_group_size)


def test_the_profile_describes_the_tail():
    found = profile()
    totals = found["totals"]
    assert (totals["users"], totals["items"], totals["pairs"]) == (9, 6, 21)
    assert (totals["head_items"], totals["tail_items"], totals["unused_items"]) == (1, 3, 2)
    assert totals["head_share"] == pytest.approx(9 / 21)
    assert found["rank_frequency"] == {"rank": [1, 2, 3, 4], "count": [9, 6, 4, 2]}
    assert found["lorenz"]["interactions"][-1] == 1
    assert [row["users"] for row in found["history_lengths"]] == [3, 2, 2, 2]
    assert found["months"][0] == {
        "month": "2020-01", "interactions": 9, "new_users": 9, "new_items": 1,
    }  # fmt: skip
    assert found["filled"]["brand"] == 0.5


def test_small_groups_of_users_are_left_out():
    assert [row["users"] for row in profile(min_group_size=3)["history_lengths"]] == [3]


def test_ordinal_data_has_no_months():
    assert profile(first=1)["months"] == []


@pytest.mark.parametrize("name", PLOTS)
@pytest.mark.parametrize("first", [START, 1])
def test_figures_are_titled_and_labelled(name, first):
    figure = PLOTS[name](profile(first=first))
    assert figure.layout.title.text
    assert figure.layout.xaxis.title.text
    assert figure.data


def test_the_table_shows_the_key_figures(capsys):
    print_profile(profile())
    printed = capsys.readouterr().out
    for part in ("40 read, 38 kept", "duplicate 2", "Gini", "2020-01"):
        assert part in printed
