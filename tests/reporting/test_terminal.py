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


def _comparisons(**changes: float | None) -> list[dict[str, Any]]:
    row = {
        "model": "hybrid", "baseline": "als", "metric": "recall", "k": 20, "user_group": "all",
        "baseline_value": 0.1, "value": 0.15, "ratio": 1.5, "ratio_ci_low": 1.25,
        "ratio_ci_high": 1.8,
    }  # fmt: skip
    return [row | {"item_group": group} | changes for group in ("head", "tail")]


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
    terminal.print_leaderboard(_rows(cold=True), _comparisons(), 20, "als", 0.95)
    assert "…" not in capsys.readouterr().out


def test_missing_values_are_a_dash() -> None:
    table = terminal.leaderboard_table(_rows(), 20, "als")
    assert str(list(table.columns[-1].cells)[1]) == "-"


def test_the_best_value_is_bold() -> None:
    cells = list(terminal.leaderboard_table(_rows(), 20, "als").columns[1].cells)
    assert [cell.style for cell in cells] == ["", "bold"]


def test_summary_names_tail_and_head_with_intervals() -> None:
    assert terminal.comparison_summary(_comparisons(), 20, "als", 0.95) == (
        "hybrid against als: tail Recall@20 +50.0 % (95 % interval +25.0 % to +80.0 %),"
        " head Recall@20 +50.0 % (95 % interval +25.0 % to +80.0 %)."
    )


def test_summary_without_a_ratio_gives_the_values() -> None:
    line = terminal.comparison_summary(
        _comparisons(ratio=None, baseline_value=0.0), 20, "als", 0.95
    )
    assert "tail Recall@20 0.0000 → 0.1500" in line


def test_summary_without_comparisons_is_empty() -> None:
    assert terminal.comparison_summary([], 20, "als", 0.95) == ""


def test_printing_writes_table_and_summary(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.print_leaderboard(_rows(), _comparisons(), 20, "als", 0.95)
    output = capsys.readouterr().out
    assert output.count("NDCG@20") == 1
    assert output.count("hybrid against als") == 1
