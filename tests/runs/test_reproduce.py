"""Runs are repeated from what was recorded, and differences are reported."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from kedro.io import Version
from kedro_datasets.json import JSONDataset
from mlflow.tracking import MlflowClient
from tests.conftest import RunKedro

from longtail.errors import UserError
from longtail.project import mlflow_client
from longtail.runs.records import RunRecord, RunRecords, content_hash
from longtail.runs.reproduce import (
    checked_out,
    compare,
    parameters_to_repeat,
    precision_changes,
    report,
    reproduce,
    same_content,
)


def commit(project: Path) -> None:
    (project / ".gitignore").write_text(
        "data\nmlflow.db*\nmlartifacts\n.viz\n__pycache__\n.gitignore\n"
    )
    identity = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    for command in (["init", "-q"], ["add", "."], [*identity, "commit", "-q", "-m", "x"]):
        subprocess.run(["git", "-C", project, *command], check=True)


def client_of(project: Path) -> MlflowClient:
    return MlflowClient(f"sqlite:///{project}/mlflow.db")


def newest_run(project: Path) -> str:
    client = client_of(project)
    experiment = client.get_experiment_by_name("longtail").experiment_id
    return client.search_runs([experiment], "tags.run_id LIKE '%'")[0].info.run_id


def worktrees(project: Path) -> list[str]:
    """The folders that git knows as worktrees of the project."""
    listed = subprocess.run(
        ["git", "-C", project, "worktree", "list", "--porcelain"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    lines = listed.splitlines()
    return [line.partition(" ")[2] for line in lines if line.startswith("worktree ")]


def files_in(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


def test_partial_run_is_repeated_bit_for_bit(project: Path, run_kedro: RunKedro) -> None:
    commit(project)
    run_kedro()
    run_kedro(pipelines=["hybrid_scoring", "evaluation"], params={"hybrid": {"tail_emphasis": 0.4}})
    run_id = newest_run(project)
    before = files_in(project / "data")

    comparison = reproduce(project, client_of(project), run_id)

    assert comparison.identical
    assert comparison.changes == []
    assert comparison.n_equal > 100
    assert files_in(project / "data") == before
    assert worktrees(project) == [str(project)]

    shutil.rmtree(max((project / "data/test/06_models/als_model.safetensors").iterdir()))
    with pytest.raises(UserError, match="of 'als_model', which the run read, no longer exists"):
        reproduce(project, client_of(project), run_id)
    assert worktrees(project) == [str(project)]


@pytest.mark.parametrize("error", [UserError, KeyboardInterrupt])
def test_no_worktree_is_left_behind(
    project: Path, tmp_path: Path, error: type[BaseException]
) -> None:
    commit(project)
    revision = subprocess.run(
        ["git", "-C", project, "rev-parse", "HEAD"], check=True, capture_output=True, text=True
    ).stdout.strip()
    copy = tmp_path / "copy"

    def interrupted() -> None:
        code = {"git.revision": revision, "git.dirty": "false"}
        with checked_out(project, copy, code) as changes:
            assert changes == []
            assert worktrees(project) == [str(project), str(copy)]
            raise error

    with pytest.raises(error):
        interrupted()

    assert worktrees(project) == [str(project)]
    assert not copy.exists()


def test_without_the_revision_the_current_code_is_used(project: Path, tmp_path: Path) -> None:
    commit(project)
    with checked_out(project, tmp_path / "copy", {"git.revision": "0" * 40}) as changes:
        assert "the current code is used" in changes[0]
        assert (tmp_path / "copy/src/longtail/cli.py").exists()
    assert worktrees(project) == [str(project)]


def test_the_recorded_precision_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    encoding = {"encoder": {"precision": "auto", "model": "m"}}
    lineage = {"parameters": {"item_encoding": encoding}, "machine": {}}
    assert parameters_to_repeat(lineage) == lineage["parameters"]

    monkeypatch.setattr("longtail.text.weights._automatic_precision", lambda: "float32")
    lineage["machine"] = {"encoder_precision": "bfloat16"}
    repeated = parameters_to_repeat(lineage)
    assert repeated["item_encoding"]["encoder"] == {"precision": "bfloat16", "model": "m"}
    assert encoding["encoder"]["precision"] == "auto"
    (change,) = precision_changes(lineage)
    assert "encoded in bfloat16" in change
    lineage["machine"] = {"encoder_precision": "float32"}
    assert precision_changes(lineage) == []


def test_runs_without_leaderboard_cannot_be_repeated(project: Path, run_kedro: RunKedro) -> None:
    run_kedro(pipelines=["behaviour_cleaning"])
    with pytest.raises(UserError, match="made no leaderboard"):
        reproduce(project, client_of(project), newest_run(project))
    with pytest.raises(UserError, match="There is no MLflow run nothing"):
        reproduce(project, client_of(project), "nothing")


def test_the_store_is_the_configured_one(project: Path) -> None:
    other = f"sqlite:///{project}/other.db"
    shutil.copy(project / "mlflow.db", project / "other.db")
    settings = project / "conf/local/mlflow.yml"
    settings.write_text(f"server:\n  mlflow_tracking_uri: {other}\n")
    assert mlflow_client().tracking_uri == other
    settings.write_text("server:\n  mlflow_tracking_uri: http://127.0.0.1:9\n")
    with pytest.raises(UserError, match=r"server\.mlflow_tracking_uri"):
        mlflow_client()


def test_report_names_what_differs() -> None:
    row = {"model": "als", "metric": "ndcg", "k": 20, "item_group": "all", "user_group": "all"}
    now = json.loads(json.dumps([row | {"value": 0.25}]))

    assert report(compare([row | {"value": 0.25}], now, [])) == (
        "Identical: all 1 rows of the leaderboard."
    )
    text = report(compare([row | {"value": 0.5}], now, ["numpy was 2.4.0, is 2.4.6."]))
    assert text.startswith("numpy was 2.4.0, is 2.4.6.\nNot identical: 1 rows differ")
    assert "als ndcg 20 all all: recorded 0.5, repeated 0.25" in text


def test_another_version_with_the_same_content_takes_the_place_of_a_removed_one(
    tmp_path: Path,
) -> None:
    records = RunRecords(tmp_path)
    for version, content in (("v1", 1), ("v2", 2), ("v3", 1)):
        dataset = JSONDataset(filepath=str(tmp_path / "a.json"), version=Version(None, version))
        dataset.save({"a": content})
        path = tmp_path / f"a.json/{version}/a.json"
        hashes = {"a": content_hash(path)}
        records.write(RunRecord(version=version, status="complete", hashes=hashes))
    shutil.rmtree(tmp_path / "a.json/v1")
    assert same_content(records, "a", "v1", dataset) == tmp_path / "a.json/v3"
    (tmp_path / "a.json/v3/a.json").write_text("{}")
    assert same_content(records, "a", "v1", dataset) is None
    assert same_content(records, "a", "v0", dataset) is None
