from collections.abc import Sequence

import ibis
import pandas as pd
import pytest

from longtail.behaviour.dislikes import END
from longtail.behaviour.pairs import split_pairs
from longtail.behaviour.signals import Signals
from longtail.behaviour.splits import Assignment, SplitSettings

DAY = 86_400
START = 1_500_000_000
SCHEMA = {"user_id": "string", "item_id": "string", "timestamp": "int64", "weight": "float64"}
Event = tuple[str, str, int | None, float]
PLAIN = Signals(saturation=10)


def log(*extra: Event) -> list[Event]:
    """Twenty purchases, which put the cut-offs at days 15.2 and 17.1, and more events."""
    return [("other", f"x{i}", START + i * DAY, 5.0) for i in range(20)] + list(extra)


def split(
    events: Sequence[Event],
    protocol: str = "temporal",
    signals: Signals | None = PLAIN,
    **more: float,
) -> Assignment:
    frame = pd.DataFrame(events, columns=list(SCHEMA)).astype({"timestamp": "Int64"})
    settings = SplitSettings(protocol, 0, seed=1, **more)  # type: ignore[arg-type]
    return split_pairs(ibis.memtable(frame, schema=SCHEMA), settings, signals)


def dislikes(events: Sequence[Event], protocol: str = "temporal", **more: float) -> pd.DataFrame:
    """What is disliked at validation and at the test."""
    found = split(events, protocol, **more).dislikes
    assert found is not None
    table = found.to_pandas()
    return table[table["known_at"] != END]


def test_all_events_count_at_the_end_of_the_log() -> None:
    later = START + 100 * DAY
    events = log(
        ("u", "a", START, -1.0), ("u", "a", later, 5.0), ("u", "b", START, 5.0),
        ("u", "b", later, -6.0), ("u", "c", later, -1.0),
    )  # fmt: skip
    found = split(events).dislikes
    assert found is not None
    table = found.to_pandas()
    assert set(table[table["known_at"] == END]["item_id"]) == {"b", "c"}


def known(events: Sequence[Event], protocol: str = "temporal", **more: float) -> set[str]:
    table = dislikes(events, protocol, **more)
    return {f"{row.user_id} {row.item_id} {row.known_at}" for row in table.itertuples()}


def test_more_evidence_against_than_for_is_a_dislike() -> None:
    events = [("u", "returned", START, 5.0), ("u", "returned", START + DAY, -5.0)]
    events += [("u", "skipped", START, -0.5), ("u", "kept", START, 5.0), ("u", "kept", START, -1.0)]
    table = dislikes(log(*events))
    assert table.columns.tolist() == ["user_id", "item_id", "timestamp", "weight", "known_at"]
    rows = table.itertuples(index=False, name=None)
    assert [*rows] == [
        ("u", "returned", START + DAY, 0.0, "test"),
        ("u", "returned", START + DAY, 0.0, "validation"),
        ("u", "skipped", START, -0.5, "test"),
        ("u", "skipped", START, -0.5, "validation"),
    ]


def test_no_evidence_is_no_dislike() -> None:
    assert not known(log(("u", "seen", START, 0.0)))


def test_age_counts_as_in_the_weights_of_interactions() -> None:
    """A like halves in a day, so that a weaker skip on the last day outweighs it."""
    cut = START + 15 * DAY
    events = [("u", "a", cut - 10 * DAY, 5.0), ("u", "a", cut - DAY, -1.0)]
    assert not known(log(*events))
    signals = Signals(saturation=10, half_life_days=1)
    aged = split(log(*events), signals=signals).dislikes
    assert aged is not None
    assert set(aged.to_pandas()["item_id"]) == {"a"}


def test_a_dislike_is_known_from_its_own_time_on() -> None:
    in_validation = ("u", "a", START + 16 * DAY, -1.0)
    assert known(log(in_validation)) == {"u a test"}
    in_test = ("u", "a", START + 18 * DAY, -1.0)
    assert not known(log(in_test))


def test_a_purchase_returned_in_the_validation_period_is_a_dislike_at_the_test() -> None:
    bought, returned = ("u", "a", START, 5.0), ("u", "a", START + 16 * DAY, -6.0)
    assert known(log(bought, returned)) == {"u a test"}


def test_an_item_liked_again_is_no_dislike_any_longer() -> None:
    events = [("u", "a", START, -1.0), ("u", "a", START + 16 * DAY, 5.0)]
    assert known(log(*events)) == {"u a validation"}


@pytest.mark.parametrize("protocol", ["temporal", "per_user"])
@pytest.mark.parametrize("user", ["u", "v"])
def test_nothing_after_the_moment_of_the_recommendation_counts(protocol: str, user: str) -> None:
    """User v has dislikes alone where one cut-off holds, and a period of its own elsewhere."""
    events = log(*[("u", f"i{n}", START + n * DAY, 5.0) for n in range(20)])
    if protocol == "per_user":
        events += [("v", f"i{n}", START + n * DAY, 5.0) for n in range(20)]
    events += [(user, "a", START + DAY, -1.0), (user, "b", START + 2 * DAY, 1.0)]
    later = [(user, "a", START + 19 * DAY, 9.0), (user, "c", START + 19 * DAY, -5.0)]
    later += [(user, "b", START + 19 * DAY, -5.0)]
    before = known(events, protocol)
    assert before == {f"{user} a test", f"{user} a validation"}
    assert known(events + later, protocol) == before


def test_dislikes_of_a_user_without_a_later_period_all_count() -> None:
    events = log(("u", "a", START, 5.0), ("u", "b", START + DAY, -1.0))
    assert known(events, "per_user") == {"u b test", "u b validation"}


def test_without_times_nothing_is_later() -> None:
    events: list[Event] = [("u", f"i{n}", None, 5.0) for n in range(10)]
    assert known([*events, ("u", "a", None, -1.0)], "per_user") == {"u a test", "u a validation"}


def test_a_pair_is_either_an_interaction_or_a_dislike() -> None:
    """The first positive event counts although its user's test begins at the same moment."""
    events = [("u", f"i{n}", START + n, 5.0) for n in range(10)]
    events += [("u", "i9", START + 1, -1.0)]
    assignment = split(events, "per_user")
    table = assignment.interactions.to_pandas().merge(dislikes(events, "per_user"), on="item_id")
    assert table[table["split"] == "train"].empty
    # Chosen in the test, disliked before: it stays relevant.
    assert set(table["split"]) == {"test"}


def test_hidden_items_have_no_dislikes() -> None:
    users = "pqrstvwx"
    rows = [
        (user, f"i{(3 * place + number) % 20:02}", START + place * DAY, 5.0)
        for number, user in enumerate(users)
        for place in range(10)
    ]
    events = [*rows, *(("fan", f"i{n:02}", START, -1.0) for n in range(20))]
    pairs = split(events, "item_cold", hidden_share=0.3).interactions.to_pandas()
    trained = set(pairs.loc[pairs["split"] == "train", "item_id"])
    found = set(dislikes(events, "item_cold", hidden_share=0.3)["item_id"])
    hidden = {f"i{n:02}" for n in range(20)} - found
    assert found <= trained
    assert hidden


def test_hidden_users_have_no_dislikes() -> None:
    users = [f"u{n}" for n in range(10)]
    rows = [(u, f"i{n}", START + n * DAY, 5.0) for u in users for n in range(12)]
    events = [*rows, *((u, "bad", START, -1.0) for u in users)]
    assignment = split(events, "user_cold", hidden_share=0.3)
    pairs = assignment.interactions.to_pandas()
    hidden = set(pairs.loc[pairs["split"] == "fold_in", "user_id"])
    assert hidden
    assert assignment.dislikes is not None
    assert set(assignment.dislikes.to_pandas()["user_id"]) == set(users) - hidden


def test_without_signals_nothing_is_disliked() -> None:
    found = split(log(), signals=None).dislikes
    assert found is not None
    assert found.count().to_pyarrow().as_py() == 0
