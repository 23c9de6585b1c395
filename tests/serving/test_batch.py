"""Files of users and histories, as requests; and the report in words."""

import pandas as pd
import pytest

from longtail.errors import UserError
from longtail.pipelines.scoring.nodes import sentences
from longtail.serving.batch import read_batch


def histories(table: pd.DataFrame, **options: float) -> dict[str | None, list[str]]:
    requests = read_batch(table, **options).requests
    return {request.user_id: list(request.item_ids or ()) for request in requests}


def test_a_file_of_users_alone() -> None:
    batch = read_batch(pd.DataFrame({"user_id": ["b", "a", "b", "", None]}))
    assert [request.user_id for request in batch.requests] == ["b", "a"]
    assert all(request.item_ids is None for request in batch.requests)
    assert batch.report["rows_without_user"] == 2


def test_times_order_a_history_and_without_them_the_file_does() -> None:
    table = pd.DataFrame({"user_id": ["u"] * 3, "item_id": ["c", "a", "b"]})
    assert histories(table) == {"u": ["c", "a", "b"]}
    assert histories(table.assign(timestamp=["30", "4", "5.5"])) == {"u": ["a", "b", "c"]}
    dates = ["2026-05-01T10:00", "2026-04-01", "unclear"]
    batch = read_batch(table.assign(timestamp=dates))
    assert list(batch.requests[0].item_ids or ()) == ["b", "a", "c"]
    assert batch.report["rows_without_readable_time"] == 1


def test_low_ratings_and_strengths_that_are_not_above_zero_are_no_choices() -> None:
    table = pd.DataFrame({"user_id": ["u"] * 3, "item_id": ["a", "b", "c"]})
    assert histories(table.assign(rating=["1", "4", ""]), min_rating=3.5) == {"u": ["b", "c"]}
    batch = read_batch(table.assign(strength=["2.5", "0", "x"]))
    assert list(batch.requests[0].weights or ()) == [2.5]
    assert batch.report["rows_without_positive_strength"] == 2


def test_a_file_without_users_is_refused() -> None:
    with pytest.raises(UserError, match="needs a column user_id; it has customer, item_id"):
        read_batch(pd.DataFrame({"customer": ["a"], "item_id": ["b"]}))


def test_the_report_says_only_what_happened() -> None:
    counts = {
        "users": 3, "users_with_history_in_log": 1, "users_with_history_in_file": 1,
        "users_unknown": 1, "unknown_items": 0, "rows_with_unknown_item": 0,
        "unknown_item_examples": [], "users_without_known_item": 0, "unused_columns": [],
        "rows_without_user": 0,
    }  # fmt: skip
    assert len(sentences(counts)) == 1
    changed = counts | {"unknown_items": 2, "unknown_item_examples": ["x", "y"]}
    assert sentences(changed | {"rows_with_unknown_item": 1})[1] == (
        "Ignored 2 item ids that the catalogue does not have, in 1 row, such as x, y."
    )
