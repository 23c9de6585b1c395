from kedro.io import DatasetError

from longtail.cli import user_message
from longtail.errors import UserError


def test_wrapped_user_errors_are_found() -> None:
    wrapped = DatasetError("Failed while loading data")
    wrapped.__cause__ = UserError("Column 'item_id' is missing.")
    assert user_message(wrapped) == "Column 'item_id' is missing."


def test_defects_keep_their_traceback() -> None:
    assert user_message(ValueError("a defect")) is None
