import subprocess
from pathlib import Path

import pytest
from pydantic import BaseModel

from longtail.hooks.lineage import code_revision
from longtail.hooks.tracking import (
    flatten,
    kedro_command,
    leaderboard_metrics,
    numbers,
    run_name,
)


class Inner(BaseModel):
    factors: int = 16


class Settings(BaseModel):
    als: Inner = Inner()
    ks: tuple[int, ...] = (10, 20)


def row(metric: str = "ndcg", k: int | None = 20, **groups: str) -> dict[str, object]:
    groups = {"item_group": "all", "user_group": "all"} | groups
    return {"model": "hybrid", "metric": metric, "k": k, "value": 0.25, **groups}


def test_typed_parameters_are_flattened() -> None:
    assert flatten({"model": Settings(), "seed": 1}) == {
        "model.als.factors": 16,
        "model.ks": [10, 20],
        "seed": 1,
    }


def test_headlines_of_a_leaderboard_become_metrics() -> None:
    rows = [
        row(),
        row(k=10),
        row(k=10, item_group="tail"),
        row("recall", item_group="tail", user_group="quiet"),
        row("coverage", k=None),
        row("mrr") | {"value": None},
    ]

    assert leaderboard_metrics(rows, primary_k=20) == {
        "hybrid.ndcg_at_20": 0.25,
        "hybrid.ndcg_at_10": 0.25,
        "hybrid.recall_at_20.tail.quiet_users": 0.25,
        "hybrid.coverage": 0.25,
    }


def test_only_the_numbers_of_a_report_become_metrics() -> None:
    report = {"rows": {"in": 5, "out": 4}, "ordered": True, "protocol": "temporal"}
    assert numbers("report", report) == {"report.rows.in": 5.0, "report.rows.out": 4.0}


def test_run_name_tells_data_pipelines_and_time() -> None:
    name = run_name("toys", ["als_baseline", "evaluation"], "2026-11-21T23.36.20.314Z")
    assert name == "toys als_baseline+evaluation 2026-11-21 23:36:20"
    name = run_name("toys", ["all"], "2026-11-21T23.36.20.314Z", {"hybrid": {"tail_emphasis": 0.5}})
    assert name == "toys all hybrid.tail_emphasis=0.5 2026-11-21 23:36:20"
    name = run_name(
        "toys", ["all"], "2026-11-21T23.36.20.314Z", {"k": {"a": 1, "b": 2, "c": 3, "d": 4}}
    )
    assert name == "toys all k.a=1 k.b=2 k.c=3 ... 2026-11-21 23:36:20"


def test_command_can_be_repeated() -> None:
    none = dict.fromkeys(
        ("node_names", "from_nodes", "to_nodes", "from_inputs", "to_outputs", "tags")
    )
    run_params = none | {
        "env": "canonical",
        "pipeline_names": ["evaluation"],
        "load_versions": {"split": "v1"},
        "runtime_params": {"als": {"factors": 8}},
    }
    assert kedro_command(run_params) == (
        "kedro run --env=canonical --pipelines=evaluation --load-versions=split:v1"
        " --params=als.factors=8"
    )


def test_code_revision_tells_a_dirty_tree(tmp_path: Path) -> None:
    assert code_revision(tmp_path) == {}
    identity = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    subprocess.run(
        ["git", "-C", tmp_path, *identity, "commit", "-q", "--allow-empty", "-m", "x"], check=True
    )
    clean = code_revision(tmp_path)
    (tmp_path / "new.py").write_text("")

    assert len(clean["git.revision"]) == 40
    assert clean["git.dirty"] == "false"
    assert code_revision(tmp_path)["git.dirty"] == "true"


def test_git_is_not_required(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert code_revision(tmp_path) == {}
