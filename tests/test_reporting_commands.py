from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from longtail.cli import cli
from longtail.pipelines.evaluation.params import EvaluationParameters
from longtail.runs.records import RunRecord, RunRecords


class _Catalog:
    def __init__(self, datasets: dict[str, Any]) -> None:
        self._datasets = datasets

    def exists(self, name: str) -> bool:
        return name in self._datasets

    def load(self, name: str) -> Any:
        return self._datasets[name]

    def __getitem__(self, name: str) -> Any:
        return SimpleNamespace(resolve_load_version=lambda: "v1")


@pytest.fixture
def catalog(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """Replace the project's catalog by one that holds this dict, without records of runs."""
    parameters = EvaluationParameters(
        ks=(20,), primary_k=20, baseline="als", bootstrap_draws=100, confidence=0.95, seed=0
    )
    datasets: dict[str, Any] = {"params:evaluation": parameters}

    def open_project(env: str | None) -> tuple[_Catalog, RunRecords]:
        datasets["env"] = env
        return _Catalog(datasets), RunRecords(tmp_path)

    monkeypatch.setattr("longtail.project.open_project", open_project)
    return datasets


def run(*arguments: str) -> int:
    """Run a command of the project; return the exit code."""
    with pytest.raises(SystemExit) as ended:
        cli.main(list(arguments))
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_without_a_leaderboard_it_says_what_to_run(
    catalog: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("leaderboard", "--env", "canonical") == 1
    assert catalog["env"] == "canonical"
    assert "run `kedro run --env=canonical` first" in capsys.readouterr().err


def test_it_prints_the_newest_leaderboard(
    catalog: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    key = {"metric": "ndcg", "k": 20, "item_group": "all", "user_group": "all"}
    catalog["leaderboard"] = [{"model": "als", "value": 0.125, **key}]
    catalog["headlines"] = []
    assert run("leaderboard") == 0
    assert "0.1250" in capsys.readouterr().out


def test_it_prints_what_the_models_cost(
    catalog: dict[str, Any], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    key = {"metric": "ndcg", "k": 20, "item_group": "all", "user_group": "all"}
    catalog["leaderboard"] = [{"model": name, "value": 0.125, **key} for name in ("als", "ease")]
    records = RunRecords(tmp_path)
    costs = {"als_model": {"fit_seconds": 12.34, "model_bytes": 5_600_000.0}}
    ancestors = {"leaderboard": {"als_model": "v1"}}
    records.write(RunRecord(version="v1", status="complete", costs=costs, ancestors=ancestors))

    assert run("leaderboard", "--costs") == 0

    lines = capsys.readouterr().out.splitlines()
    assert ["als", "0.1250", "-", "12.3", "-", "5.60"] in [line.split() for line in lines]
    assert ["ease", "0.1250", "-", "-", "-", "-"] in [line.split() for line in lines]


def test_the_profile_is_printed_once_data_are_cleaned(
    catalog: dict[str, Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("data-profile") == 1
    assert "run `kedro run --pipelines=behaviour_cleaning` first" in capsys.readouterr().err
    catalog["data_profile"] = {"n_users": 3}
    printed: list[Any] = []
    monkeypatch.setattr("longtail.reporting.profile_terminal.print_profile", printed.append)
    assert run("data-profile") == 0
    assert printed == [{"n_users": 3}]


@pytest.fixture
def saved_page(catalog: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A saved report; the browser is replaced by a list, as ``catalog["opened"]``."""
    catalog["evaluation_report"] = "page"
    path = tmp_path / "evaluation_report.html"
    monkeypatch.setattr("longtail.private_interfaces.load_path", lambda _: path)
    monkeypatch.setattr("longtail.runs.input_checks.check_intact", lambda *_: None)
    catalog["opened"] = []
    monkeypatch.setattr("webbrowser.open", catalog["opened"].append)
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    return path


def test_without_a_report_it_says_what_to_run(
    catalog: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("report", "--env", "demo") == 1
    assert catalog["env"] == "demo"
    assert "There is no report yet: run `kedro run --env=demo` first" in capsys.readouterr().err


def test_the_report_opens_where_there_is_a_screen(
    catalog: dict[str, Any],
    saved_page: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    assert run("report") == 0
    assert capsys.readouterr().out == f"{saved_page}\n"
    assert catalog["opened"] == []
    monkeypatch.setenv("DISPLAY", ":0")
    assert run("report", "--no-browser") == 0
    assert catalog["opened"] == []
    assert run("report") == 0
    assert catalog["opened"] == [saved_page.as_uri()]
