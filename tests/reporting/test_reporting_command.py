from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from longtail.hooks.records import RunRecord, RunRecords
from longtail.pipelines.evaluation.params import EvaluationParameters
from longtail.reporting import __main__ as command


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
def catalog(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Replace the project's catalog by one that holds this dict."""
    parameters = EvaluationParameters(
        ks=(20,), primary_k=20, baseline="als", bootstrap_draws=100, confidence=0.95, seed=0
    )
    datasets: dict[str, Any] = {"params:evaluation": parameters}

    def open_catalog(env: str | None) -> _Catalog:
        datasets["env"] = env
        return _Catalog(datasets)

    monkeypatch.setattr(command, "open_catalog", open_catalog)
    return datasets


def test_without_a_leaderboard_it_says_what_to_run(
    catalog: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["--env", "canonical"]) == 1
    assert catalog["env"] == "canonical"
    assert "run `kedro run` first" in capsys.readouterr().err


def test_it_prints_the_newest_leaderboard(
    catalog: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    key = {"metric": "ndcg", "k": 20, "item_group": "all", "user_group": "all"}
    catalog["leaderboard"] = [{"model": "als", "value": 0.125, **key}]
    catalog["comparisons"] = []
    assert command.main([]) == 0
    assert "0.1250" in capsys.readouterr().out


def test_it_prints_what_the_models_cost(
    catalog: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    key = {"metric": "ndcg", "k": 20, "item_group": "all", "user_group": "all"}
    catalog["leaderboard"] = [{"model": name, "value": 0.125, **key} for name in ("als", "ease")]
    records = RunRecords(tmp_path)
    costs = {"als_model": {"fit_seconds": 12.34, "model_bytes": 5_600_000.0}}
    ancestors = {"leaderboard": {"als_model": "v1"}}
    records.write(RunRecord(version="v1", status="complete", costs=costs, ancestors=ancestors))
    monkeypatch.setattr(command, "open_records", lambda _: records)

    assert command.main(["--costs"]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert ["als", "0.1250", "-", "12.3", "-", "5.60"] in [line.split() for line in lines]
    assert ["ease", "0.1250", "-", "-", "-", "-"] in [line.split() for line in lines]
