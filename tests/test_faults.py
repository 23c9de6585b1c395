"""Full disks, read-only stores, unreachable MLflow: results are kept and the user is warned."""

import json
import os
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from time import monotonic

import pytest
from tests.conftest import RunKedro

CLEANING = ["behaviour_cleaning"]
# Without these a process of root, too, has to obey the modes of files.
OBEDIENT = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--"]


def kedro_run(project: Path, *options: str, before: tuple[str, ...] = ()) -> tuple[int, str]:
    """Run the cleaning as a user does; return exit code and output, in one line."""
    command = [*before, sys.executable, "-m", "kedro", "run", "--env=test"]
    completed = subprocess.run(
        [*command, "--pipelines=behaviour_cleaning", *options],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    return completed.returncode, " ".join((completed.stdout + completed.stderr).split())


def split_is_there(project: Path) -> bool:
    return bool(list((project / "data/test/05_model_input").glob("split.json/*/split.json")))


def records(project: Path) -> list[dict[str, object]]:
    paths = sorted((project / "data/test/.runs").glob("*.json"))
    return [json.loads(path.read_text()) for path in paths]


@pytest.fixture
def full_disk(project: Path) -> Iterator[Path]:
    """The project with its data on a disk too small for them."""
    folder = project / "data/test"
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=120k", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("This test needs the right to mount a small disk.")
    yield project
    subprocess.run(["umount", str(folder)], check=True)


def test_full_disk_is_reported_and_the_run_resumed(full_disk: Path) -> None:
    code, said = kedro_run(full_disk)

    assert code == 1
    assert "Traceback" not in said
    assert "could not be saved: no space left on device. Finished nodes are kept" in said

    folder = full_disk / "data/test"
    subprocess.run(["mount", "-o", "remount,size=100M", str(folder)], check=True)
    code, said = kedro_run(full_disk, "--only-changed")
    assert code == 0, said
    assert split_is_there(full_disk)
    assert records(full_disk)[-1]["status"] == "complete"


def test_limit_of_file_sizes_is_reported(project: Path) -> None:
    code, said = kedro_run(project, before=("prlimit", "--fsize=4000", "--"))

    assert code == 1
    assert "could not be saved: file too large" in said
    assert "MLflow failed" in said


def test_read_only_store_is_reported(project: Path) -> None:
    folder = project / "data/test/05_model_input"
    folder.mkdir(parents=True)
    folder.chmod(0o555)

    code, said = kedro_run(project, before=tuple(OBEDIENT))

    assert code == 1
    assert "Traceback" not in said
    assert "could not be saved: permission denied" in said
    assert "make the folder writable" in said

    folder.chmod(0o755)
    code, said = kedro_run(project, "--only-changed")
    assert code == 0, said
    assert split_is_there(project)
    assert "behaviour_cleaning.clean_behaviour" in records(project)[-1]["reused"]  # type: ignore[operator]


@pytest.fixture
def locked_store(project: Path) -> Iterator[None]:
    """Another program holds MLflow's database."""
    with closing(sqlite3.connect(project / "mlflow.db", isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield
        connection.execute("ROLLBACK")


@pytest.mark.usefixtures("locked_store")
def test_locked_mlflow_store_costs_only_the_tracking(
    project: Path, run_kedro: RunKedro, caplog: pytest.LogCaptureFixture
) -> None:
    run_kedro(pipelines=CLEANING)

    assert "mlflow.db: database is locked" in caplog.text
    assert "Traceback" not in caplog.text
    assert "the run continues untracked; its results are saved" in caplog.text
    assert split_is_there(project)


def test_read_only_mlflow_store_costs_only_the_tracking(project: Path) -> None:
    (project / "mlflow.db").chmod(0o444)

    code, said = kedro_run(project, before=tuple(OBEDIENT))

    assert code == 0, said
    assert "MLflow failed" in said
    assert "mlflow.db: attempt to write a readonly database" in said
    assert "the run continues untracked; its results are saved" in said
    assert "Traceback" not in said
    assert split_is_there(project)


@pytest.fixture
def silent_server() -> Iterator[str]:
    """The address of a server that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield "http://{}:{}".format(*server.getsockname())


def test_silent_mlflow_server_costs_seconds(project: Path, silent_server: str) -> None:
    settings = f"server:\n  mlflow_tracking_uri: {silent_server}\n"
    (project / "conf/test/mlflow.yml").write_text(settings)

    started = monotonic()
    code, said = kedro_run(project)

    assert code == 0, said
    assert "MLflow failed" in said
    assert "Traceback" not in said
    assert split_is_there(project)
    assert monotonic() - started < 90  # of which 20 are spent waiting


def test_unreachable_mlflow_server_costs_only_the_tracking(
    project: Path, run_kedro: RunKedro, caplog: pytest.LogCaptureFixture
) -> None:
    settings = "server:\n  mlflow_tracking_uri: http://127.0.0.1:9\n"
    (project / "conf/test/mlflow.yml").write_text(settings)

    run_kedro(pipelines=CLEANING)

    assert "MLflow failed" in caplog.text
    assert split_is_there(project)


def test_full_disk_of_mlflow_costs_only_the_tracking(
    project: Path,
    run_kedro: RunKedro,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("mlflow.tracking.MlflowClient.log_artifact", refuse)
    run_kedro(pipelines=CLEANING)

    assert "No space left on device" in caplog.text
    assert records(project)[-1]["status"] == "complete"
