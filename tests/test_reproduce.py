"""Runs are made again from what was recorded, and a difference is told."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient
from tests.conftest import RunKedro

from longtail.errors import UserError
from longtail.project import mlflow_client
from longtail.reproduce import compare, report, reproduce


def commit(project: Path) -> None:
    (project / ".gitignore").write_text(
        "data\nmlflow.db\nmlartifacts\n.viz\n__pycache__\n.gitignore\n"
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


def files_in(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


def test_partial_run_is_made_again_bit_for_bit(project: Path, run_kedro: RunKedro) -> None:
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

    shutil.rmtree(max((project / "data/test/06_models/als_model.safetensors").iterdir()))
    with pytest.raises(UserError, match="of 'als_model', which the run read, is gone"):
        reproduce(project, client_of(project), run_id)


def test_runs_without_leaderboard_cannot_be_made_again(project: Path, run_kedro: RunKedro) -> None:
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
    assert mlflow_client()._tracking_client.tracking_uri == other
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
    assert "als ndcg 20 all all: 0.5 then, 0.25 now" in text
