import re
from pathlib import Path

import ibis
import pandas as pd
import pytest
import yaml
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from longtail.behaviour.pairs import split_pairs
from longtail.behaviour.signals import Dwell, Signals, event_weight
from longtail.behaviour.splits import SplitSettings

DOCUMENTED = Path(__file__).parents[2] / "docs/configuration.md"
PRESETS = Path(__file__).parents[2] / "conf/base/globals_signals.yml"
DAY = 86_400
START = 1_500_000_000
EVENT_SCHEMA = {
    "user_id": "string",
    "event_type": "string",
    "rating": "float64",
    "quantity": "float64",
    "dwell_seconds": "float64",
    "timestamp": "int64",
}
SCHEMA = {"user_id": "string", "item_id": "string", "timestamp": "int64", "weight": "float64"}
STRONG = Signals(event_weights={"buy": 5, "return": -5}, saturation=10, half_life_days=10)


def weights(rows, **signals):
    """Return the weights of events given as dictionaries of their columns."""
    frame = pd.DataFrame(rows, columns=list(EVENT_SCHEMA)).assign(user_id="u")
    frame["timestamp"] = frame["timestamp"].astype("Int64")
    events = ibis.memtable(frame, schema=EVENT_SCHEMA)
    return events.mutate(weight=event_weight(events, Signals(**signals)))["weight"].to_list()


def pairs(rows, signals=STRONG, protocol="temporal", **split):
    frame = pd.DataFrame(rows, columns=list(SCHEMA))
    frame["timestamp"] = frame["timestamp"].astype("Int64")
    assignment = split_pairs(
        ibis.memtable(frame, schema=SCHEMA), SplitSettings(protocol, 0, seed=1, **split), signals
    )
    return assignment.interactions.to_pandas().set_index(["user_id", "item_id"]).sort_index()


def test_event_types_have_their_weights():
    rows = [{"event_type": kind} for kind in ("view", " BUY ", "return", "odd", None)]
    assert weights(rows, event_weights={"view": 1, "buy": 5, "return": -5}) == [1, 5, -5, 1, 1]


def test_dwell_time_distinguishes_long_and_short_views():
    dwell = Dwell(
        events=["view"], short_seconds=5, short_weight=-0.5, long_seconds=60, long_weight=2
    )
    seconds = [4, 5, 60, None]
    rows = [{"event_type": "view", "dwell_seconds": value} for value in seconds]
    rows.append({"event_type": "buy", "dwell_seconds": 1})
    assert weights(rows, event_weights={"buy": 5}, dwell=dwell) == [-0.5, 1, 2, 1, 5]


def test_low_ratings_reverse_the_evidence():
    rows = [{"rating": rating} for rating in (5, 3.5, 3, None)]
    assert weights(rows, ratings="threshold") == [1, 1, -1, 1]
    assert weights(rows, ratings="threshold", low_rating=0) == [1, 1, 0, 1]


def test_ratings_are_compared_with_the_mean_of_earlier_ratings_only():
    rows = [{"rating": rating, "timestamp": START + i} for i, rating in enumerate([4, 2, 5, 1])]
    found = weights(rows, ratings="user_mean", rating_step=2)
    assert found == pytest.approx([1, 1 - 0.5, 1 + (5 - 11 / 3) / 2, 0])
    assert weights(rows[:3], ratings="user_mean", rating_step=2) == pytest.approx(found[:3])


def test_ratings_without_time_are_compared_with_the_threshold():
    assert weights([{"rating": 5}, {"rating": 1}], ratings="user_mean") == [1, -1]


def test_quantities_count_logarithmically_and_returns_negatively():
    rows = [{"quantity": quantity} for quantity in (1, 3, 0, -3, None)]
    assert weights(rows, quantities="log") == pytest.approx([1, 2, 0, -2, 1])


def test_without_signals_every_pair_weighs_one():
    rows = [("u", item, START + i, 1.0) for i, item in enumerate("aabcc")]
    assert set(pairs(rows, signals=None)["weight"]) == {1.0}


def log(*extra):
    """Twenty purchases, which put the cut-offs at days 15.2 and 17.1, and more events."""
    return [("other", f"x{i}", START + i * DAY, 5.0) for i in range(20)] + list(extra)


def test_repeats_add_up_with_saturation_and_the_train_mean_is_one():
    signals = STRONG.model_copy(update={"half_life_days": None})
    found = pairs(log(*[("u", "a", START + i, 5.0) for i in range(9)]), signals)
    once, often = found.loc[("other", "x0"), "weight"], found.loc[("u", "a"), "weight"]
    assert often / once == pytest.approx((45 / 55) / (5 / 15), rel=1e-5)
    assert found.loc[found["split"] == "train", "weight"].mean() == pytest.approx(1, abs=1e-5)


def test_an_event_one_half_life_before_the_end_counts_half():
    found = pairs(log(), STRONG.model_copy(update={"saturation": 1e9, "half_life_days": 2}))
    assert found.loc[("other", "x2"), "weight"] / found.loc[("other", "x0"), "weight"] == (
        pytest.approx(2, rel=1e-4)
    )


def test_a_purchase_returned_in_its_period_is_dropped():
    found = pairs(log(("u", "a", START, 5.0), ("u", "a", START + DAY, -5.0)))
    assert ("u", "a") not in found.index


def test_a_purchase_returned_after_the_cutoff_stays_in_training():
    kept = pairs(log(("u", "a", START, 5.0)))
    returned = pairs(log(("u", "a", START, 5.0), ("u", "a", START + 19 * DAY, -5.0)))
    pd.testing.assert_frame_equal(kept, returned)


def test_events_of_other_periods_do_not_count_per_user():
    rows = [("u", f"i{i}", START + i * DAY, 5.0) for i in range(10)]
    later = [("u", "i0", START + 9 * DAY + 1, 5.0)]
    earlier = [("u", "i0", START + DAY, 5.0)]
    plain, with_later, with_earlier = (
        pairs(rows + more, protocol="per_user")["weight"] for more in ([], later, earlier)
    )
    assert plain.tolist() == with_later.tolist()
    assert with_earlier.loc[("u", "i0")] > plain.loc[("u", "i0")]


def test_with_hidden_items_later_events_count_in_no_training_pair():
    """Hidden items are test at any time: they neither end nor prolong the periods of a user."""
    rows = [
        (user, f"i{(3 * place + number) % 20:02}", START + place * DAY, 5.0)
        for number, user in enumerate("pqrstvwx")
        for place in range(10)
    ]
    plain = pairs(rows, protocol="item_cold", hidden_share=0.2)
    trained = plain[plain["split"] == "train"]
    later = [(user, item, START + 30 * DAY, 5.0) for user, item in trained.index]
    with_later = pairs(rows + later, protocol="item_cold", hidden_share=0.2)
    # A user without a later period has nothing to keep apart.
    split = plain.groupby("user_id")["split"].agg(set)
    assert split.map({"train", "validation", "test"}.issubset).all()
    pd.testing.assert_frame_equal(plain, with_later)
    # A hidden item in the middle of the training period does not end it.
    warm = plain[~plain.index.get_level_values("item_id").isin(hidden_in(plain))]
    first_later = warm[warm["split"] != "train"].groupby("user_id")["timestamp"].min()
    (user, item), found = next(
        (pair, row) for pair, row in trained.iterrows() if row["timestamp"] < START + 3 * DAY
    )
    again = (user, item, int(first_later[user]) - 1, 5.0)
    repeated = pairs([*rows, again], protocol="item_cold", hidden_share=0.2)
    assert repeated.loc[(user, item), "weight"] > found["weight"]


def hidden_in(assigned):
    """Return the items that are in no training pair."""
    trained = assigned["split"] == "train"
    return set(assigned.index[~trained].unique("item_id")) - set(
        assigned.index[trained].unique("item_id")
    )


EVENTS = st.lists(
    st.tuples(
        st.sampled_from("uvw"),
        st.sampled_from("abcd"),
        st.integers(0, 19).map(lambda day: START + day * DAY),
        st.sampled_from([5.0, 1.0, -1.0, -5.0]),
    ),
    max_size=20,
)


@settings(max_examples=6, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(events=EVENTS, later=EVENTS, order=st.randoms(use_true_random=False))
def test_nothing_after_the_cutoff_affects_training(events, later, order):
    base = log() + events
    before = pairs(base)
    cut = START + 19 * DAY
    extra = [(u, i, cut, w) for u, i, _, w in later if (u, i) in before.index]
    shuffled = base + extra
    order.shuffle(shuffled)
    after = pairs(shuffled)
    train = before[before["split"] == "train"]
    pd.testing.assert_frame_equal(train, after[after["split"] == "train"])


def test_the_presets_are_valid():
    content = yaml.safe_load(PRESETS.read_text("utf-8"))["signal_presets"]
    presets = {name: Signals(**fields) for name, fields in content.items()}
    names = "shop video music books news social courses recipes places"
    assert [*presets] == names.split()
    examples = re.findall(r"^\| `(\w+)` \| u17 \| \S+ \| (\w+) \|", DOCUMENTED.read_text(), re.M)
    assert [preset for preset, _ in examples] == [*presets]
    assert all(presets[preset].event_weights[event] > 0 for preset, event in examples)
    assert presets["shop"].event_weights["purchase"] > presets["shop"].event_weights["view"]
