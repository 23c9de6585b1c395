"""The MLflow store: opened by one process at a time, and tried before MLflow opens it."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import wraps
from pathlib import Path
from time import sleep
from typing import Any, cast

from filelock import FileLock
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from sqlalchemy.engine import make_url

SQLITE = "sqlite:"
# Another process may be creating the tables, which takes seconds.
LOCK_SECONDS = 120
# How long a write of another process may take; MLflow waits for 20 s.
BUSY_SECONDS = 10
LOCKED = "database is locked"
# Of two transactions that read and then want to write, SQLite refuses one at once, without waiting.
TRIES = 6


@contextmanager
def opening(uri: str) -> Iterator[None]:
    """Let no other process open a store of SQLite meanwhile; other stores need no such care.

    MLflow creates tables, experiment and registry without a lock: of two processes that do so at
    the same time, one fails.

    Raises:
        OSError: If the store cannot be written, with the reason and the file.
        TimeoutError: If another process keeps opening it.
    """
    path = sqlite_file(uri)
    if path is None:
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{path}.lock", timeout=LOCK_SECONDS):
        check_writable(path)
        yield


class _PatientClient:
    """Repeats the calls that SQLite refuses because another process is writing."""

    def __init__(self, client: MlflowClient) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._client, name)
        return _repeated(value) if callable(value) else value


def patient(client: MlflowClient) -> MlflowClient:
    """Return a client that repeats calls which fail because another process is writing."""
    return cast("MlflowClient", _PatientClient(client))


def _repeated(call: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(call)
    def repeated(*args: Any, **kwargs: Any) -> Any:
        for number in range(1, TRIES + 1):
            try:
                return call(*args, **kwargs)
            except MlflowException as error:
                if LOCKED not in str(error) or number == TRIES:
                    raise
            # Unequal waits, so that two processes do not meet again.
            sleep(random.uniform(0, 0.1 * 2**number))
        raise AssertionError

    return repeated


def sqlite_file(uri: str) -> Path | None:
    """Return the file of a store of SQLite, None for any other store."""
    if not uri.startswith(SQLITE):
        return None
    database = make_url(uri).database
    return Path(database) if database and database != ":memory:" else None


def check_writable(path: Path) -> None:
    """Refuse a database that MLflow would try for minutes, or with a traceback.

    Raises:
        OSError: If it is locked, read-only, unreadable or no database.
    """
    try:
        with closing(sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)) as database:
            database.execute("BEGIN IMMEDIATE")
            # SQLite begins a read-only database like any other, and fails when it writes.
            database.execute("PRAGMA user_version = 1")
            database.execute("ROLLBACK")
    except sqlite3.Error as error:
        raise OSError(f"{path}: {error}") from error
