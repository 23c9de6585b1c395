import duckdb
import pytest
from kedro.io import DatasetError

from longtail.cli import user_message
from longtail.errors import UserError


def test_wrapped_user_errors_are_found() -> None:
    wrapped = DatasetError("Failed while loading data")
    wrapped.__cause__ = UserError("Column 'item_id' is missing.")
    assert user_message(wrapped) == "Column 'item_id' is missing."


def test_defects_keep_their_traceback() -> None:
    assert user_message(ValueError("a defect")) is None


LOADING = "Failed while loading data from dataset X(filepath=PurePosixPath('/a/b.csv')).\n"
SAVING = "Failed while saving data to dataset X(filepath=PurePosixPath('/a/b.csv')).\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LOADING, "/a/b.csv could not be read: permission denied. Give the user who runs"),
        (SAVING, "/a/b.csv could not be saved: permission denied. Finished nodes are kept: make"),
    ],
)
def test_reading_and_saving_without_permission_are_different(text: str, message: str) -> None:
    error = DatasetError(f"{text}[Errno 13] Permission denied: '/a/b.csv'")
    assert str(user_message(error)).startswith(message)


def test_a_memory_limit_that_is_reached_is_a_sentence() -> None:
    error = duckdb.OutOfMemoryException("Out of Memory Error: failed to pin block")
    assert "raise engine.memory_limit" in str(user_message(error))
