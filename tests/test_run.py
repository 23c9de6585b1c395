"""The whole graph on fabricated data, and what MLflow knows of it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from kedro.io import DatasetError
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from longtail.errors import UserError

RunKedro = Callable[..., str]

CLEANING = ["behaviour_cleaning"]


def tracked_runs(project: Path) -> dict[str, Run]:
    """Runs in the project's MLflow store, by Kedro session."""
    client = MlflowClient(f"sqlite:///{project}/mlflow.db")
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    return {run.data.tags["run_id"]: run for run in client.search_runs(experiments)}


def test_whole_graph_runs_and_is_one_finished_run(finished_project: Path) -> None:
    (run,) = tracked_runs(finished_project).values()

    assert run.info.status == "FINISHED"
    assert run.data.params["behaviour_cleaning.protocol"]
    assert run.data.params["evaluation.primary_k"] == "20"
    assert not [value for value in run.data.params.values() if value.startswith("{")]
    assert 0 <= run.data.metrics["hybrid.ndcg_at_20"] <= 1
    assert 0 <= run.data.metrics["als.recall_at_20.tail"] <= 1
    assert run.data.tags["protocol"] == "temporal"
    assert run.data.tags["env"] == "test"
    artifacts = MlflowClient(f"sqlite:///{finished_project}/mlflow.db").list_artifacts(
        run.info.run_id
    )
    assert "leaderboard.json" in {artifact.path for artifact in artifacts}


def test_every_pipeline_runs_alone_and_tells_which_versions_it_read(
    project: Path, run_kedro: RunKedro
) -> None:
    names = ["behaviour_cleaning", "item_encoding", "als_baseline", "hybrid_scoring", "evaluation"]
    sessions = {name: run_kedro(pipelines=[name]) for name in names}

    runs = tracked_runs(project)
    evaluation = runs[sessions["evaluation"]].data
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    assert evaluation.tags["in.test_interactions"] == sessions["behaviour_cleaning"]
    assert evaluation.tags["in.recommendations_hybrid"] == sessions["hybrid_scoring"]
    assert set(evaluation.params) == {
        name for name in evaluation.params if name.startswith("evaluation.")
    }


def test_two_runs_in_one_process_do_not_mix(project: Path, run_kedro: RunKedro) -> None:
    first = run_kedro(pipelines=CLEANING, params={"behaviour_cleaning": {"seed": 1}})
    second = run_kedro(pipelines=CLEANING, params={"behaviour_cleaning": {"seed": 2}})

    runs = tracked_runs(project)
    assert set(runs) == {first, second}
    assert runs[first].data.params["behaviour_cleaning.seed"] == "1"
    assert runs[second].data.params["behaviour_cleaning.seed"] == "2"
    assert runs[first].info.status == runs[second].info.status == "FINISHED"


def test_failed_run_is_marked(
    project: Path, run_kedro: RunKedro, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LONGTAIL_TEST_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(DatasetError, match="nowhere"):
        run_kedro(pipelines=CLEANING)

    (run,) = tracked_runs(project).values()
    assert run.info.status == "FAILED"
    assert "nowhere" in run.data.tags["error"]


def test_missing_inputs_name_the_pipeline_to_run(project: Path, run_kedro: RunKedro) -> None:
    with pytest.raises(UserError, match="kedro run --pipelines=behaviour_cleaning` first"):
        run_kedro(pipelines=["item_encoding"])

    assert tracked_runs(project) == {}
    assert not (project / "data").exists()


def test_results_are_kept_when_mlflow_is_out_of_reach(
    project: Path, run_kedro: RunKedro, caplog: pytest.LogCaptureFixture
) -> None:
    (project / "mlflow.db").write_text("not a database")

    run_kedro(pipelines=CLEANING)

    assert "MLflow failed" in caplog.text
    assert list((project / "data/test/05_model_input").glob("split.json/*/split.json"))
