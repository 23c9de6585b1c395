"""Names of sessions, which are the versions of all that a run saves: no two are equal."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import sleep
from typing import Any

from filelock import FileLock, Timeout
from kedro.framework.session.store import BaseSessionStore
from kedro.io.core import VERSION_FORMAT, generate_timestamp

FOLDER = "data"
LAST = ".last_session"
LOCK_SECONDS = 5
# A name that is further in the future is of a clock that was wrong, and is not waited for.
AHEAD = timedelta(seconds=1)


class SessionStore(BaseSessionStore):
    """Kedro's store of a session, which gives two sessions of one millisecond different names."""

    def __setitem__(self, key: str, value: Any) -> None:
        """Store a value; the name of the session is reserved first."""
        if key == "session_id":
            value = reserve(Path(self._path).parent / FOLDER, value)
        super().__setitem__(key, value)


def reserve(folder: Path, name: str) -> str:
    """Return a name that no earlier session of the project has, which is mostly the given one.

    Args:
        folder: where the last name is kept; where it is missing or cannot be written to, nothing
            is reserved.
        name: a time in Kedro's format of versions.
    """
    with suppress(OSError, Timeout):
        if not folder.is_dir():
            return name
        path = folder / LAST
        with FileLock(f"{path}.lock", timeout=LOCK_SECONDS):
            # A damaged name is later than none.
            last = path.read_bytes().decode("ascii", "ignore") if path.exists() else ""
            while name <= last < _soon():
                sleep(0.001)
                name = generate_timestamp()
            path.write_text(name, encoding="utf-8")
    return name


def _soon() -> str:
    return (datetime.now(UTC) + AHEAD).strftime(VERSION_FORMAT)
