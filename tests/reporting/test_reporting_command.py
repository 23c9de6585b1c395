from typing import Any

import pytest

from longtail.reporting import __main__ as command


class _Catalog:
    def __init__(self, datasets: dict[str, Any]) -> None:
        self._datasets = datasets

    def exists(self, name: str) -> bool:
        return name in self._datasets

    def load(self, name: str) -> Any:
        return self._datasets[name]


@pytest.fixture
def catalog(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Replace the project's catalog by one that holds this dict."""
    datasets: dict[str, Any] = {"params:evaluation": {"primary_k": 20, "baseline": "als"}}

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
