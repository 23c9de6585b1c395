"""The MLflow store is opened by one process at a time, and refused at once where it fails."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from mlflow.exceptions import MlflowException

from longtail.tracking.store import TRIES, opening, patient, sqlite_file

ROOT = Path(__file__).resolve().parents[2]


def test_no_first_run_loses_its_tracking(tmp_path: Path) -> None:
    program = [sys.executable, "-m", "tests.tracking.concurrent_openings", str(tmp_path), "2"]
    completed = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=True)
    assert completed.stdout == "0 failed, 0 missing\n"


def test_only_files_of_sqlite_are_locked(tmp_path: Path) -> None:
    assert sqlite_file(f"sqlite:///{tmp_path}/mlflow.db") == tmp_path / "mlflow.db"
    for uri in ("sqlite://", "http://127.0.0.1:5000", "postgresql://user@host/db", "mlruns", ""):
        assert sqlite_file(uri) is None
        with opening(uri):
            pass


def refused(path: Path) -> str:
    with pytest.raises(OSError, match=r"mlflow\.db") as raised, opening(f"sqlite:///{path}"):
        pytest.fail("opened")
    return str(raised.value)


def test_store_that_cannot_be_written_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("longtail.tracking.store.BUSY_SECONDS", 0.1)
    path = tmp_path / "mlflow.db"
    path.write_bytes(b"no database" * 100)
    assert refused(path) == f"{path}: file is not a database"

    path.unlink()
    path.mkdir()
    assert refused(path) == f"{path}: unable to open database file"

    path.rmdir()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert refused(path) == f"{path}: database is locked"
        other.execute("ROLLBACK")
    with opening(f"sqlite:///{path}"):
        pass


class Busy:
    """A client whose store another process writes to for some calls."""

    uri = "sqlite:///mlflow.db"

    def __init__(self, busy: int, message: str = "(sqlite3.OperationalError) database is locked"):
        self.busy, self.calls, self.message = busy, 0, message

    def log_batch(self, run_id: str) -> str:
        self.calls += 1
        if self.calls <= self.busy:
            raise MlflowException(self.message)
        return run_id


def test_calls_are_repeated_while_another_process_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("longtail.tracking.store.sleep", lambda _: None)
    client = Busy(busy=TRIES - 1)
    assert patient(client).log_batch("run") == "run"  # type: ignore[arg-type, func-returns-value]
    assert patient(client).uri == client.uri  # type: ignore[arg-type, attr-defined]
    with pytest.raises(MlflowException, match="locked"):
        patient(Busy(busy=TRIES)).log_batch("run")  # type: ignore[arg-type]
    other = Busy(busy=1, message="no such run")
    with pytest.raises(MlflowException, match="no such run"):
        patient(other).log_batch("run")  # type: ignore[arg-type]
    assert other.calls == 1
