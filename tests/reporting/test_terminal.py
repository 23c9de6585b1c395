from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from longtail.reporting import terminal


def _rows(cold: bool = False) -> list[dict[str, Any]]:
    groups = [("all", "all"), ("head", "all"), ("tail", "all"), ("all", "quiet")]
    groups += [("cold", "all")] if cold else []
    rows = [
        (model, metric, item_group, user_group, value)
        for model, value in (("als", 0.2), ("hybrid", 0.3))
        for metric in ("ndcg", "recall")
        for item_group, user_group in groups
    ]
    rows += [("als", "catalog_coverage", "all", "all", 0.5)]
    names = ("model", "metric", "item_group", "user_group", "value")
    return [{"k": 20, **dict(zip(names, row, strict=True))} for row in rows]


def _headlines() -> list[dict[str, Any]]:
    row = {"metric": "recall", "ratio": 1.5, "ratio_ci_low": 1.25, "ratio_ci_high": 1.8}
    return [
        row
        | {"against": "baseline", "measure": "tail items", "baseline": "als", "verdict": "higher"},
        row
        | {"against": "best with text", "measure": "tail items", "baseline": "l3ae"}
        | {"verdict": "not different", "ratio": None, "ratio_ci_low": None},
    ]


def _text(rows: list[dict[str, Any]], width: int = 110) -> str:
    console = Console(width=width, file=StringIO())
    with console.capture() as captured:
        console.print(terminal.leaderboard_table(rows, 20, "als"))
    return captured.get()


def test_table_shows_values_and_ratios_to_the_baseline() -> None:
    text = _text(_rows())
    assert "0.3000" in text
    assert "x1.50" in text
    assert "quiet" in text
    assert "cold" not in text


def test_the_last_column_is_the_number_of_trials() -> None:
    tried = {"model": "hybrid", "metric": "trials", "k": None, "value": 20.0}
    lines = _text([*_rows(), tried | {"item_group": "all", "user_group": "all"}]).splitlines()
    assert any(line.rstrip().endswith("trials") for line in lines)
    assert any(line.startswith("hybrid") and line.rstrip().endswith(" 20") for line in lines)
    assert any(line.startswith("als") and line.rstrip().endswith(" -") for line in lines)


def test_cold_columns_appear_with_cold_positives() -> None:
    assert "cold" in _text(_rows(cold=True))


def test_the_table_fits_eighty_columns() -> None:
    text = _text(_rows(), width=80)
    assert "…" not in text
    assert text.count("0.3000") == 8


def test_a_narrow_terminal_does_not_truncate_numbers(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    terminal.print_leaderboard(_rows(cold=True), _headlines(), 20, "als")
    assert "…" not in capsys.readouterr().out


def test_missing_values_are_a_dash() -> None:
    table = terminal.leaderboard_table(_rows(), 20, "als")
    assert str(list(table.columns[-1].cells)[1]) == "-"


def test_the_best_value_is_bold() -> None:
    cells = list(terminal.leaderboard_table(_rows(), 20, "als").columns[1].cells)
    assert [cell.style for cell in cells] == ["", "bold"]


def test_the_hybrid_stands_beside_its_strongest_rivals(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.print_leaderboard(_rows(), _headlines(), 20, "als")
    output = capsys.readouterr().out
    assert output.count("NDCG@20") == 1
    first, second = (line.split() for line in output.splitlines() if "Recall, tail" in line)
    assert first[:5] == ["baseline", "Recall,", "tail", "items", "als"]
    assert first[5:] == ["x1.50", "x1.25", "to", "x1.80", "higher"]
    assert second[-8:] == ["items", "l3ae", "-", "-", "to", "x1.80", "not", "different"]
