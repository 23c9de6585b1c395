import ibis
import pandas as pd
import pytest

from longtail.behaviour.relevance import relevant_interactions
from longtail.errors import UserError

# u1 viewed a and b and bought b; u2 bought c, and returned d.
LOG = pd.DataFrame(
    [
        ("u1", "a", "view", 1.0),
        ("u1", "b", "view", 1.0),
        ("u1", "b", " Purchase", 4.0),
        ("u2", "c", "purchase", 4.0),
        ("u2", "d", "view", 1.0),
        ("u2", "d", "purchase", -1.0),
        ("u3", "a", "purchase", 4.0),
        ("u3", "b", None, 1.0),
    ],
    columns=["user_id", "item_id", "event_type", "weight"],
)
TEST = pd.DataFrame(
    [("u1", "a"), ("u1", "b"), ("u2", "c"), ("u2", "d"), ("u3", "b")],
    columns=["user_id", "item_id"],
)


def relevant(*events):
    table = relevant_interactions(TEST, ibis.memtable(LOG), events)
    return set(table[["user_id", "item_id"]].itertuples(index=False, name=None))


def test_only_pairs_with_a_positive_event_of_a_named_type_are_relevant():
    assert relevant("purchase") == {("u1", "b"), ("u2", "c")}
    assert relevant("View") == {("u1", "a"), ("u1", "b"), ("u2", "d")}
    assert relevant("view", "purchase") == relevant("view") | relevant("purchase")


def test_unknown_events_and_events_without_a_test_interaction_are_refused():
    with pytest.raises(UserError, match=r"'purchas'.*did you mean purchase"):
        relevant("purchas")
    with pytest.raises(UserError, match=r"'kauf'.*it has purchase, view"):
        relevant("kauf")
    with pytest.raises(UserError, match="No test interaction has one of the events purchase"):
        relevant_interactions(TEST[TEST["user_id"] == "u3"], ibis.memtable(LOG), ["purchase"])
