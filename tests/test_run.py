"""The whole graph on fabricated data, and what MLflow knows of it."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from kedro.framework.startup import bootstrap_project
from kedro.io import DatasetError
from mlflow.entities import Run
from mlflow.tracking import MlflowClient
from tests.conftest import run

from longtail.cli import cli
from longtail.errors import UserError
from longtail.project import open_catalog

RunKedro = Callable[..., str]

CLEANING = ["behaviour_cleaning"]


def tracked_runs(project: Path) -> dict[str, Run]:
    """Runs of Kedro in the project's MLflow store, by session; without their trials."""
    client = MlflowClient(f"sqlite:///{project}/mlflow.db")
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    runs = client.search_runs(experiments, "tags.run_id LIKE '%'")
    return {run.data.tags["run_id"]: run for run in runs}


def test_whole_graph_runs_and_is_one_finished_run(finished_project: Path) -> None:
    (run,) = tracked_runs(finished_project).values()

    assert run.info.status == "FINISHED"
    assert run.data.params["behaviour_cleaning.protocol"]
    assert run.data.params["evaluation.primary_k"] == "20"
    assert not [value for value in run.data.params.values() if value.startswith("{")]
    assert 0 <= run.data.metrics["hybrid.ndcg_at_20"] <= 1
    assert 0 <= run.data.metrics["als.recall_at_20.tail"] <= 1
    for cost in ("als.fit_seconds", "als.model_bytes", "hybrid.milliseconds_per_user"):
        assert run.data.metrics[cost] > 0
    assert run.data.tags["protocol"] == "temporal"
    assert run.data.tags["env"] == "test"
    (record,) = (finished_project / "data/test/.runs").glob("*.json")
    assert json.loads(record.read_text())["encoder_precision"] in ("bfloat16", "float32")
    client = MlflowClient(f"sqlite:///{finished_project}/mlflow.db")
    artifacts = {artifact.path for artifact in client.list_artifacts(run.info.run_id)}
    assert artifacts >= {"leaderboard.json", "figures.html", "metrics.json"}
    assert not [name for name in artifacts if name.endswith("_plot.json")]
    own = [name for name in run.data.metrics if not name.startswith("system/")]
    assert 15 <= len(own) <= 30
    assert all(name < "system/" for name in own)
    table = client.load_table(run.info.experiment_id, "metrics.json", [run.info.run_id])
    assert len(table) > 1000
    assert {"hybrid", "ease"} <= set(table["model"])
    children = client.search_runs([run.info.experiment_id], "tags.model = 'als'")
    assert [child.data.tags["mlflow.parentRunId"] for child in children] == [run.info.run_id] * 2
    assert "regularization" in children[0].data.params
    assert 0 <= children[0].data.metrics["validation_ndcg_at_20"] <= 1


@pytest.mark.parametrize(
    ("option", "shown"), [([], "Ranking quality at K = 20"), (["--costs"], "seconds to fit")]
)
@pytest.mark.usefixtures("finished_project")
def test_the_command_leaderboard_prints_what_a_run_saved(
    option: list[str], shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    cli.main(["leaderboard", "--env", "test", *option], standalone_mode=False)
    printed = capsys.readouterr().out
    assert shown in printed
    (als,) = (line.split() for line in printed.splitlines() if line.strip().startswith("als "))
    assert "-" not in als


def test_every_pipeline_runs_alone_and_logs_which_versions_it_read(
    project: Path, run_kedro: RunKedro
) -> None:
    names = [
        "behaviour_cleaning",
        "item_encoding",
        "als_baseline",
        "recommenders",
        "hybrid_scoring",
        "evaluation",
    ]
    sessions = {name: run_kedro(pipelines=[name]) for name in names}

    runs = tracked_runs(project)
    evaluation = runs[sessions["evaluation"]].data
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    assert evaluation.tags["in.test_interactions"] == sessions["behaviour_cleaning"]
    assert evaluation.tags["in.recommendations_hybrid"] == sessions["hybrid_scoring"]
    assert evaluation.tags["parameters.set"] == "evaluation"
    assert "behaviour_cleaning" in evaluation.tags["parameters.inherited"].split(", ")
    assert evaluation.params["tuning.trials"] == "2"
    assert evaluation.tags["protocol"] == "temporal"
    assert evaluation.params["behaviour_cleaning.min_rating"] == "3.5"
    assert "test_interactions" in {
        entry.dataset.name for entry in runs[sessions["evaluation"]].inputs.dataset_inputs
    }


def test_inputs_of_different_splits_are_refused(project: Path, run_kedro: RunKedro) -> None:
    before = run_kedro()
    after = run_kedro(
        pipelines=["behaviour_cleaning"], params={"behaviour_cleaning": {"min_rating": 5}}
    )

    with pytest.raises(UserError) as refused:
        run_kedro(pipelines=["evaluation"])

    sentence = str(refused.value)
    assert before in sentence
    assert after in sentence
    stale = "item_encoding,als_baseline,recommenders,hybrid_scoring"
    assert f"kedro run --env=test --pipelines={stale}" in sentence
    assert list(tracked_runs(project)) == [after, before]


def test_equal_content_of_another_version_is_accepted(run_kedro: RunKedro) -> None:
    run_kedro()
    run_kedro(pipelines=["behaviour_cleaning"])
    run_kedro(pipelines=["evaluation"])


def test_failed_run_is_never_read(
    project: Path, run_kedro: RunKedro, monkeypatch: pytest.MonkeyPatch
) -> None:
    complete = run_kedro(pipelines=CLEANING)
    with monkeypatch.context() as patch:
        patch.setattr("pandas.DataFrame.to_parquet", fail_to_write)
        with pytest.raises(DatasetError, match="No space left"):
            run_kedro(pipelines=CLEANING)

    assert open_catalog(env="test")["train_interactions@pandas"].resolve_load_version() == complete

    encoding = run_kedro(pipelines=["item_encoding"])

    tags = tracked_runs(project)[encoding].data.tags
    assert {tags["in.items"], tags["in.train_interactions"]} == {complete}


def fail_to_write(*_: object, **__: object) -> None:
    raise OSError(28, "No space left on device")


def test_two_runs_in_one_process_do_not_mix(project: Path, run_kedro: RunKedro) -> None:
    first = run_kedro(pipelines=CLEANING, params={"behaviour_cleaning": {"seed": 1}})
    second = run_kedro(pipelines=CLEANING, params={"behaviour_cleaning": {"seed": 2}})

    runs = tracked_runs(project)
    assert set(runs) == {first, second}
    assert runs[first].data.params["behaviour_cleaning.seed"] == "1"
    assert runs[second].data.params["behaviour_cleaning.seed"] == "2"
    assert runs[first].info.status == runs[second].info.status == "FINISHED"


def test_failed_run_is_marked(
    project: Path, run_kedro: RunKedro, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pandas.DataFrame.to_parquet", fail_to_write)
    with pytest.raises(DatasetError, match="No space left"):
        run_kedro(pipelines=CLEANING)

    (run,) = tracked_runs(project).values()
    assert run.info.status == "FAILED"
    assert "No space left" in run.data.tags["error"]


def test_interrupted_run_is_killed(project: Path, tmp_path: Path) -> None:
    """Ctrl-C is no error to Kedro, and MLflow would call the run finished."""
    program = tmp_path / "interrupted.py"
    program.write_text(INTERRUPTED)
    completed = subprocess.run(
        [sys.executable, str(program)], cwd=project, capture_output=True, text=True, check=False
    )

    assert "Aborted!" in completed.stderr
    (run,) = tracked_runs(project).values()
    assert run.info.status == "KILLED"


INTERRUPTED = """
import signal, sys
from kedro.framework.cli.cli import main
import pandas

def interrupt(*_, **__):
    signal.raise_signal(signal.SIGINT)
    raise KeyboardInterrupt

pandas.DataFrame.to_parquet = interrupt
sys.argv = ["kedro", "run", "--env=test", "--pipelines=behaviour_cleaning"]
main()
"""


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--pipelines=evaluation", "--params=evaluation.bootstrap_draws=1"], "bootstrap_draws"),
        (["--pipelines=item_encoding"], "--pipelines=behaviour_cleaning` first"),
    ],
)
def test_refused_run_is_a_failed_run_with_the_sentence(
    project: Path, options: list[str], sentence: str
) -> None:
    bootstrap_project(project)
    with pytest.raises(click.ClickException, match=sentence):
        cli.main(["run", "--env=test", *options], standalone_mode=False)

    client = MlflowClient(f"sqlite:///{project}/mlflow.db")
    experiment = client.get_experiment_by_name("longtail")
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.status == "FAILED"
    assert sentence in run.data.tags["error"]
    assert run.data.tags["mlflow.note.content"] == run.data.tags["error"]
    assert run.data.tags["pipelines"] in options[0]
    assert not (project / "data/test").exists()


def test_missing_data_end_the_run_before_anything_is_written(
    project: Path, run_kedro: RunKedro, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LONGTAIL_TEST_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(UserError, match="nowhere"):
        run_kedro(pipelines=CLEANING)

    assert tracked_runs(project) == {}
    assert not (project / "data").exists()


def test_missing_inputs_name_the_pipeline_to_run(project: Path, run_kedro: RunKedro) -> None:
    with pytest.raises(
        UserError, match="kedro run --env=test --pipelines=behaviour_cleaning` first"
    ):
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


def test_a_log_without_times_runs_without_what_needs_an_order(
    run_kedro: RunKedro, caplog: pytest.LogCaptureFixture
) -> None:
    columns = {"interactions_columns": {"timestamp": None}, "protocol": "per_user"}
    sources = ("als", "item_knn", "text_knn", "sequence_transformer")
    models = {"recommenders": {"fitted": sources}, "hybrid": {"sources": sources}}

    run_kedro(params={"behaviour_cleaning": columns} | models)

    assert "SequenceTransformer is left out" in caplog.text
    gate = open_catalog(env="test")["hybrid_gate"].load()
    assert "text_knn" in gate["weights"]
    assert "sequence_transformer" not in gate["weights"]
    run_kedro(pipelines=["arms"], params={"behaviour_cleaning": columns} | models)


def test_a_run_up_to_the_lists_ends_well_without_what_is_served(
    project: Path, run_kedro: RunKedro, caplog: pytest.LogCaptureFixture
) -> None:
    session = run_kedro(to_outputs=["recommendations_hybrid"])

    assert tracked_runs(project)[session].info.status == "FINISHED"
    assert "The hybrid is not registered: there is no item_understanding." in caplog.text


def test_results_of_another_data_set_are_refused(
    finished_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LONGTAIL_TEST_DATA", str(tmp_path / "other_shop"))
    with pytest.raises(
        UserError,
        match=r"made from the data set '[^']+', but this environment reads 'other_shop'"
        r".*LONGTAIL_DATA.*`kedro run --env=test` first.*kedro new-data",
    ):
        run(finished_project, pipelines=["evaluation"])
