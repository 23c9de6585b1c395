import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from test_figures import ALL, _comparisons, _leaderboard

from longtail.reporting.examples import Entry, Example
from longtail.reporting.page import EXPOSURE_COLUMNS, Column, evaluation_page, significance, table

KEY = {"k": 20, "item_group": "all", "user_group": "all", "n_users": 7}


def row(model: str, metric: str, value: float, **key: Any) -> dict[str, Any]:
    return (
        KEY
        | {"model": model, "metric": metric, "value": value, "ci_low": None}
        | ({"ci_high": None} | key)
    )


@pytest.fixture(scope="module")
def page() -> str:
    entries = [Entry("Cats & <dogs>", "pets, fur", "tail", True)]
    example = Example("u1", 3, 1, entries, entries, {"als": entries})
    plots = {"leaderboard_plot": ALL["leaderboard"](), "lift_plot": ALL["lift"]()}
    headlines = ["The hybrid against the <best>."]
    return evaluation_page(
        _leaderboard(), [], headlines, plots, [example], ["half <lost>"], 20, "als", 0.95
    )


def test_the_page_is_self_contained(page: str) -> None:
    without_plotly = re.sub(r"<script>.*?</script>", "", page, count=1, flags=re.DOTALL)
    assert not re.findall(r"""(?:src|href)=["']|@import|url\(""", without_plotly)
    assert page.count("Plotly.newPlot(place") == 1


def test_titles_are_escaped(page: str) -> None:
    assert "Cats &amp; &lt;dogs&gt;" in page
    assert "<small>pets, fur</small>" in page
    assert "<dogs>" not in page


def test_warnings_about_the_data_stand_before_the_first_table(page: str) -> None:
    assert page.index("<li>half &lt;lost&gt;</li>") < page.index("<h2>Which model")


def test_the_headlines_stand_before_the_first_table(page: str) -> None:
    assert page.index("<li>The hybrid against the &lt;best&gt;.</li>") < page.index("<h2>Which")


def test_the_best_of_a_column_is_marked_by_the_direction_of_its_metric() -> None:
    rows = [row("a", "gini", 0.9), row("b", "gini", 0.5), row("b", "arp", 3.0)]
    content = table(rows, EXPOSURE_COLUMNS, 20)
    assert content["headings"] == [("Gini", 7), ("Mean popularity", 7)]
    (_, (first, nothing)), (_, (second, neither)) = content["rows"]
    assert (first["best"], second["best"]) == (False, True)
    assert nothing is None
    assert not neither["best"]


def test_cells_hold_value_and_interval() -> None:
    rows = [row("a", "ndcg", 0.25, ci_low=0.2, ci_high=0.3)]
    (_, (cell,)), *_ = table(rows, [Column("NDCG", "ndcg", digits=2)], 20)["rows"]
    assert cell == {"value": "0.25", "interval": "0.20 to 0.30", "best": True}


def test_significance_is_of_overall_ndcg_and_tail_recall() -> None:
    statistics = {"difference": 0.1, "difference_ci_low": 0.05, "difference_ci_high": 0.15}
    rows = [
        comparison | statistics | {"effect_size": None, "p_holm": 0.01}
        for comparison in _comparisons()
    ]
    (shown,) = significance(rows, 20)
    assert shown["metric"] == "Tail Recall@20"
    assert (shown["interval"], shown["ratio"]) == ("0.0500 to 0.1500", "x1.50")
    assert (shown["effect"], shown["p_holm"]) == ("-", "0.0100")


def test_a_browser_without_network_draws_every_figure(
    chromium: str, page: str, tmp_path: Path
) -> None:
    file = tmp_path / "report.html"
    file.write_text(page, encoding="utf-8")
    options = "--headless --no-sandbox --disable-gpu --no-first-run --host-resolver-rules=MAP*NULL"
    command = [chromium, *options.split(), f"--user-data-dir={tmp_path / 'profile'}"]
    command += ["--virtual-time-budget=10000", "--dump-dom", file.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    drawn = re.findall(r'id="(\w+_plot)"[^>]*>\s*<div class="plot-container', done.stdout)
    assert drawn == ["leaderboard_plot", "lift_plot"]
    assert done.stdout.count('class="main-svg"') >= 2
    assert "NDCG@20, mean over users with a history" in done.stdout
