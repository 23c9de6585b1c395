"""Requests as they come from JSON: ids of any type, mixed batches, and what is refused."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from longtail.errors import UserError
from longtail.serving.requests import RefusedRequest, new_items_of, requests_of


def read(*records: dict[str, Any]) -> list[tuple[Any, Any, Any]]:
    requests = requests_of(pd.DataFrame(list(records)))
    return [(request.user_id, request.item_ids, request.text) for request in requests]


def test_ids_are_text_whatever_their_type() -> None:
    assert read({"user_id": 1}) == read({"user_id": "1"}) == [("1", None, None)]
    assert read({"item_ids": [50, "181", 7.0]}) == [(None, ["50", "181", "7"], None)]
    assert read({"user_id": 1.5}) == [("1.5", None, None)]
    assert read({"user_id": "007"}) == [("007", None, None)]


def test_a_batch_mixes_all_kinds() -> None:
    assert read({"user_id": 1}, {"item_ids": [50]}, {"text": "tea"}, {"user_id": "a"}) == [
        ("1", None, None),
        (None, ["50"], None),
        (None, None, "tea"),
        ("a", None, None),
    ]
    # Pandas makes floats of whole numbers where a record has none.
    assert read({"user_id": 1}, {"item_ids": []}) == [("1", None, None), (None, [], None)]


@pytest.mark.parametrize(
    ("record", "sentence"),
    [
        ({"user_id": ["1"]}, 'The user_id of request 0 must be text or a number, not ["1"].'),
        ({"user_id": True}, "The user_id of request 0 must be text or a number, not true."),
        ({"item_ids": "50"}, 'The item_ids of request 0 must be a list of ids, not "50".'),
        ({"text": 5}, "The text of request 0 must be text, not 5."),
        ({"usr": "1"}, "Give at least one record with a user_id, item_ids or text."),
        ({"user_id": 2.0**60}, "The user_id of request 0 is too large for a number"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_sentence(
    record: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(UserError) as refused:
        read(record)
    assert sentence in str(refused.value)


def test_new_items_need_one_text_each() -> None:
    assert new_items_of({"new_item_ids": np.array(["x"]), "new_item_texts": ["a"]}) == {"x": "a"}
    with pytest.raises(UserError, match="new_item_ids has 1 entries and new_item_texts has 0"):
        new_items_of({"new_item_ids": ["x"]})
    with pytest.raises(UserError, match="names an item twice"):
        new_items_of({"new_item_ids": ["x", "x"], "new_item_texts": ["a", "b"]})


def test_a_refusal_is_a_bad_request_with_the_sentence_alone() -> None:
    refusal = RefusedRequest("No.")
    # MLflow puts the data before the message of every error.
    refusal.message = "Failed to predict data '...'. \nError: No."
    assert refusal.get_http_status_code() == 400
    assert json.loads(refusal.serialize_as_json())["message"] == "No."
