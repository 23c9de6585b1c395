"""``kedro repeat``: shared cleaning and embeddings, resumption, MLflow and the summary."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from longtail.cli import cli
from longtail.errors import UserError
from longtail.project import open_catalog
from longtail.repeats import run_repeats
from longtail.runs.repeats import merged

FEW = {
    "recommenders": {"fitted": ["random", "popularity"]},
    "hybrid": {"sources": ["als", "text_knn"]},
}
ENCODER = "item_encoding.encode_new_texts"
CLEANING = "behaviour_cleaning.clean_behaviour"


@pytest.fixture(autouse=True)
def few_models(project: Path) -> None:
    """Let the environment test fit few models."""
    path = project / "conf/test/parameters.yml"
    path.write_text(yaml.safe_dump(merged(yaml.safe_load(path.read_text()), FEW)))


def records(project: Path) -> dict[str, dict[str, Any]]:
    """Return the records of all runs by version, the oldest first."""
    paths = sorted((project / "data/test/.runs").glob("*.json"))
    return {path.stem: json.loads(path.read_text()) for path in paths}


def ran(record: dict[str, Any]) -> set[str]:
    """Return the nodes that were not taken from an earlier run."""
    return set(record["signatures"]) - set(record["reused"])


def tracked(project: Path) -> dict[str, Run]:
    client = MlflowClient(f"sqlite:///{project}/mlflow.db")
    experiment = client.get_experiment_by_name("longtail").experiment_id
    found = client.search_runs([experiment], "tags.run_id LIKE '%'")
    return {run.data.tags["run_id"]: run for run in found}


def test_origins_and_seeds_are_repeated_and_summarised(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["repeat", "--env=test", "--origins=2", "--seeds=2", "--params=tuning.trials=1"]
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 0

    catalog = open_catalog("test")
    summary = catalog.load("repeats")
    runs = {(run["origin"], run["seed"]): run["version"] for run in summary["runs"]}
    assert list(runs) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    recorded = records(project)
    assert all(recorded[version]["status"] == "complete" for version in runs.values())
    # What comes next reads the whole log with the configured seeds.
    assert catalog["leaderboard"].resolve_load_version() == runs[0, 0] == max(runs.values())

    # Cleaning and embeddings are made once.
    for node in (CLEANING, ENCODER):
        assert [v for v in runs.values() if node in ran(recorded[v])] == [runs[1, 1]]

    # Origins share no test interaction; seeds reach vectors, models, lists and intervals.
    tests = {key: pairs_of_the_test(project, version) for key, version in runs.items()}
    assert tests[0, 0] == tests[0, 1] != set()
    assert tests[1, 0] == tests[1, 1] != set()
    assert not tests[0, 0] & tests[1, 0]
    hashes = {key: recorded[version]["hashes"] for key, version in runs.items()}
    for name in ("adapted_vectors", "als_model", "recommendations_random", "leaderboard"):
        assert hashes[0, 0][name] != hashes[0, 1][name], name
    for name in ("interactions", "item_embeddings", "train_interactions"):
        assert hashes[0, 0][name] == hashes[0, 1][name], name

    check_summary(summary, catalog.load("leaderboard"))
    shown = capsys.readouterr().out
    assert "Spread over 2 origins in time and 2 seeds" in shown
    assert "hybrid - als" in shown

    # One parent with a child for each repeat; the hybrid of the first alone is registered.
    found = tracked(project)
    (parent,) = [v for v, run in found.items() if run.data.tags["pipelines"] == "repeats"]
    for (origin, seed), version in runs.items():
        child = found[version].data
        assert child.tags["mlflow.parentRunId"] == found[parent].info.run_id
        assert (child.params["origin"], child.params["seed"]) == (str(origin), str(seed))
    client = MlflowClient(f"sqlite:///{project}/mlflow.db")
    (registered,) = client.search_model_versions()
    assert registered.run_id == found[runs[0, 0]].info.run_id


def pairs_of_the_test(project: Path, version: str) -> set[tuple[str, str]]:
    name = "test_interactions.parquet"
    table = pd.read_parquet(project / "data/test/05_model_input" / name / version / name)
    return set(zip(table["user_id"], table["item_id"], strict=True))


def check_summary(summary: dict[str, Any], leaderboard: list[dict[str, Any]]) -> None:
    """Compare the interval of the first repeat with its leaderboard, and count the rows."""
    where = {"metric": "ndcg", "k": 20, "item_group": "all", "user_group": "all"}
    (first,) = [row for row in leaderboard if row.items() >= ({"model": "als"} | where).items()]
    (spread,) = [
        row
        for row in summary["values"]
        if (row["model"], row["metric"], row["item_group"]) == ("als", "ndcg", "all")
    ]
    assert (spread["ci_low"], spread["ci_high"]) == (first["ci_low"], first["ci_high"])
    assert spread["low"] <= first["value"] <= spread["high"]
    assert spread["n_repeats"] == 4
    assert {"hybrid", "baseline", "best without text", "best with text"} == set(summary["roles"])
    pairs = [(row["other"], row["metric"], row["item_group"]) for row in summary["differences"]]
    assert ("als", "ndcg", "all") in pairs
    assert len(pairs) == len(set(pairs))


def test_a_stopped_study_continues_where_it_stopped(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from longtail import repeats  # noqa: PLC0415

    run_one, calls = repeats._run, []

    def stop_in_the_second(*args: Any, **options: Any) -> str:
        calls.append(args)
        if len(calls) > 1:
            raise KeyboardInterrupt
        return run_one(*args, **options)

    monkeypatch.setattr(repeats, "_run", stop_in_the_second)
    with pytest.raises(KeyboardInterrupt):
        run_repeats(1, 2, "test", given={"tuning": {"trials": 1}})
    monkeypatch.setattr(repeats, "_run", run_one)
    before = set(records(project))

    run_repeats(1, 2, "test", given={"tuning": {"trials": 1}})

    after = [record for version, record in records(project).items() if version not in before]
    assert ran(after[0]) == set()
    assert ran(after[1])


def test_pipelines_that_do_not_split_and_evaluate_are_refused(project: Path) -> None:
    with pytest.raises(UserError, match="add behaviour_cleaning to --pipelines"):
        run_repeats(2, 2, "test", ["als_baseline", "evaluation"])
    assert not (project / "data").exists()


def test_protocols_without_a_period_have_one_origin(project: Path) -> None:
    hidden = {"behaviour_cleaning": {"protocol": "item_cold"}}
    with pytest.raises(UserError, match="hides items or users instead of a period"):
        run_repeats(2, 1, "test", given=hidden)
    assert not list((project / "data").rglob("*.parquet"))
