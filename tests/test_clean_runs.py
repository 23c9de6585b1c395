"""The command that removes old versions."""

from pathlib import Path

import pytest
from tests.conftest import RunKedro

from longtail.cli import cli


def run(*arguments: str) -> int:
    """Run a command of the project; return the exit code."""
    with pytest.raises(SystemExit) as ended:
        cli.main(list(arguments))
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_old_runs_are_listed_and_removed_when_told(
    project: Path, run_kedro: RunKedro, capsys: pytest.CaptureFixture[str]
) -> None:
    versions = [run_kedro(pipelines=["behaviour_cleaning"]) for _ in range(2)]
    tables = project / "data/test/03_primary/items.parquet"
    capsys.readouterr()

    assert run("clean-runs", "--env", "test", "--keep", "1") == 0

    said = capsys.readouterr().out
    assert versions[0] in said
    assert versions[1] not in said
    assert "Can be removed: 1 runs" in said
    assert sorted(path.name for path in tables.iterdir()) == versions

    assert run("clean-runs", "--env", "test", "--keep", "1", "--yes") == 0

    assert "Removed 1 runs" in capsys.readouterr().out
    assert [path.name for path in tables.iterdir()] == versions[1:]
    # What is left is read by the next run.
    run_kedro(pipelines=["item_encoding"])
