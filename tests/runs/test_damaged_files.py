"""Damaged inputs are refused before the first node; damaged records are set aside."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from tests.conftest import RunKedro

from longtail.errors import UserError
from longtail.private_interfaces import catalog_with_versions
from longtail.runs.records import RunRecord, RunRecords, content_hash, content_state
from longtail.runs.reproduce import bring_inputs


@pytest.fixture
def results(project: Path, finished_project_template: Path) -> Path:
    """A project with its own copy of the results of a finished run."""
    shutil.copytree(finished_project_template / "data", project / "data")
    return project / "data/test"


def saved(results: Path, name: str) -> Path:
    """The only version of a saved file."""
    (path,) = results.glob(f"*/{name}/*/{name}")
    return path


def drop_half(path: Path) -> None:
    table = pd.read_parquet(path)
    table.head(len(table) // 2).to_parquet(path)


def flip_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def make_empty(path: Path) -> None:
    path.write_bytes(b"")


OTHER = "has other content than its run saved"
# How a file is damaged, which one, what is said, the pipelines that make and read it.
DAMAGES = [
    (drop_half, "test_interactions.parquet", "instead of", "behaviour_cleaning", "evaluation"),
    (flip_byte, "als_model.safetensors", OTHER, "als_baseline", "hybrid_scoring"),
    (make_empty, "hybrid_gate.json", "is empty", "hybrid_scoring", "cold_start"),
]


def change(damage: Callable[[Path], None], path: Path) -> None:
    """Damage a file under another name: hard links to it keep their content."""
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content)
    damage(path)


@pytest.mark.parametrize(("damage", "name", "what", "maker", "reader"), DAMAGES)
def test_damaged_input_is_refused(
    results: Path,
    run_kedro: RunKedro,
    damage: Callable[[Path], None],
    name: str,
    what: str,
    maker: str,
    reader: str,
) -> None:
    path = saved(results, name)
    change(damage, path)

    with pytest.raises(UserError) as raised:
        run_kedro(pipelines=[reader])

    message = str(raised.value)
    assert message.startswith(f"{path} ")
    assert what in message
    assert f"Run `kedro run --env=test --pipelines={maker}` first." in message
    assert len(message.splitlines()) == 1


def test_only_changed_files_are_hashed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.json"
    path.write_text("[1]")
    hashes, files = {"a": content_hash(path)}, {"a": content_state(path)}
    RunRecords(tmp_path).write(
        RunRecord(version="new", status="complete", hashes=hashes, files=files)
    )
    RunRecords(tmp_path).write(RunRecord(version="old", status="complete", hashes=hashes))
    hashed: list[Path] = []

    def counted(path: Path) -> str:
        hashed.append(path)
        return content_hash(path)

    monkeypatch.setattr("longtail.runs.records.content_hash", counted)

    assert RunRecords(tmp_path).damage("a", "new", path) is None
    assert hashed == []
    assert RunRecords(tmp_path).damage("a", "new", path, always_hash=True) is None
    assert hashed == [path]
    # A record of an older version of the project gets size and time once the hash is right.
    for _ in range(2):
        assert RunRecords(tmp_path).damage("a", "old", path) is None
    assert hashed == [path] * 2
    # So does one whose file was copied.
    os.utime(path, ns=(1, 1))
    for _ in range(2):
        assert RunRecords(tmp_path).damage("a", "new", path) is None
    assert hashed == [path] * 3
    path.write_text("[2]")
    assert RunRecords(tmp_path).damage("a", "new", path) == "has other content than its run saved"
    # Copied in by hand, or of another run.
    assert RunRecords(tmp_path).damage("a", "unknown", path) is None
    assert RunRecords(tmp_path).damage("b", "new", path) is None


def test_reproduce_names_the_input_that_changed(results: Path, project: Path) -> None:
    bootstrap_project(project)
    with KedroSession.create(project, env="test") as session:
        assert isinstance(session, KedroSession)
        catalog = catalog_with_versions(session.load_context(), None)
    path = saved(results, "als_model.safetensors")
    state = path.stat()
    change(flip_byte, path)
    # As if only the disk had changed it.
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))

    with pytest.raises(UserError, match=f"The input 'als_model' has changed .* {path} has other"):
        bring_inputs(catalog, {"als_model": path.parent.name}, results, project / "copy")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'{"version": "v2", "sta',
        b"null",
        b"\xff\x00",
        b'{"version": "v1", "status": "complete"}',
    ],
)
def test_damaged_record_is_set_aside(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    RunRecords(tmp_path).write(RunRecord(version="v1", status="complete"))
    path = tmp_path / ".runs/v2.json"
    path.write_bytes(content)

    records = RunRecords(tmp_path)
    assert [record.version for record in records.newest_first()] == ["v1"]

    assert not path.exists()
    assert (tmp_path / ".runs/v2.json.damaged").read_bytes() == content
    (warning,) = caplog.messages
    assert "v2.json.damaged" in warning
    # Whether that run was complete is not known, now and later.
    for read in (records, RunRecords(tmp_path)):
        assert read.newest_complete(["v1", "v2"]) == "v1"


def test_damaged_record_does_not_stop_a_run(results: Path, run_kedro: RunKedro) -> None:
    (results / ".runs/2000-01-01T00.00.00.000Z.json").write_bytes(b"")
    version = run_kedro(pipelines=["evaluation"])
    assert (results / f".runs/{version}.json").exists()


def test_interrupted_write_keeps_the_old_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    RunRecords(tmp_path).write(RunRecord(version="v1", status="running"))

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", refuse)
    with pytest.raises(OSError, match="No space"):
        RunRecords(tmp_path).write(RunRecord(version="v1", status="complete"))

    record = RunRecords(tmp_path).read("v1")
    assert record is not None
    assert record.status == "running"
    assert [path.name for path in (tmp_path / ".runs").iterdir()] == ["v1.json"]
