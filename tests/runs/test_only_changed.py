"""``kedro run --only-changed``: skips what is unchanged, and nothing else."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from tests.conftest import RunKedro

from longtail.runs.runner import OnlyChangedRunner


def run_only_changed(
    project: Path, params: dict[str, Any] | None = None, pipelines: list[str] | None = None
) -> dict[str, Any]:
    """Run pipelines; return the record of the run."""
    bootstrap_project(project)
    with KedroSession.create(project, env="test", runtime_params=params) as session:
        session.run(pipeline_names=pipelines, runner=OnlyChangedRunner())
    path = project / f"data/test/.runs/{session.session_id}.json"
    record: dict[str, Any] = json.loads(path.read_text())
    return record


def ran(record: dict[str, Any]) -> set[str]:
    """The nodes that were not taken from an earlier run."""
    return set(record["signatures"]) - set(record["reused"])


def leaderboards(project: Path) -> list[str]:
    folder = project / "data/test/08_reporting/leaderboard.json"
    return [path.read_text() for path in sorted(folder.glob("*/leaderboard.json"))]


def test_only_what_a_change_reaches_runs_again(
    project: Path, run_kedro: RunKedro, caplog: pytest.LogCaptureFixture
) -> None:
    first = run_kedro()

    with caplog.at_level(logging.INFO):
        nothing = run_only_changed(project)
    assert ran(nothing) == set()
    assert set(nothing["reused"].values()) == {first}
    assert "als.tune skipped, unchanged since" in caplog.text

    # A parameter of the gate: the models stay as they are.
    gate = run_only_changed(project, {"hybrid": {"tail_emphasis": 0.9}})
    assert "hybrid_scoring.fit_hybrid_gate" in ran(gate)
    assert "evaluation.evaluate_models" in ran(gate)
    assert not {name for name in ran(gate) if name.endswith((".tune", ".refit", "clean_behaviour"))}
    boards = leaderboards(project)
    assert boards[0] == boards[1] != boards[2]

    # A parameter of the cleaning that changes no row: what it makes is equal, so models stay.
    seed = run_only_changed(project, {"behaviour_cleaning": {"seed": 7}})
    cleaning = {"clean_behaviour", "split_interactions"}
    assert {f"behaviour_cleaning.{name}" for name in cleaning} <= ran(seed)
    assert not {name for name in ran(seed) if name.endswith((".tune", ".refit"))}
    assert leaderboards(project)[3] == boards[0]


def test_damaged_content_is_not_reused(project: Path, run_kedro: RunKedro) -> None:
    run_kedro(pipelines=["behaviour_cleaning"])
    (path,) = (project / "data/test/05_model_input").glob("split.json/*/split.json")
    path.write_text("{}")

    record = run_only_changed(project, pipelines=["behaviour_cleaning"])

    assert "behaviour_cleaning.split_interactions" in ran(record)
    assert "behaviour_cleaning.clean_behaviour" in record["reused"]
