import json
import re
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from test_figures import ALL, _comparisons, _leaderboard
from tests.browser import visit

from longtail.reporting.examples import Entry, Example
from longtail.reporting.figures.hybrid import gate_plot, tail_emphasis_plot
from longtail.reporting.page import (
    EXPOSURE_COLUMNS,
    TASTE_COLUMNS,
    Column,
    Lists,
    evaluation_page,
    glossary,
    model_order,
    quality_columns,
    significance,
    table,
)
from longtail.reporting.summary import Summary

KEY = {"k": 20, "item_group": "all", "user_group": "all", "n_users": 7}


def row(model: str, metric: str, value: float, **key: Any) -> dict[str, Any]:
    return (
        KEY
        | {"model": model, "metric": metric, "value": value, "ci_low": None}
        | ({"ci_high": None} | key)
    )


GATE = {
    "tail_emphasis": 0.1,
    "importance": {"als": 0.5, "text_knn": -0.25},
    "front": [
        {"tail_emphasis": value, "ndcg": 0.3 - value, "recall_tail": 0.1 + value}
        | {"recall_head": 0.5 - value, "recall_cold": 0.0, "coverage": 0.4 + value}
        for value in (0.0, 0.1, 0.2)
    ],
    "alone": {"als": {"ndcg": 0.25, "recall_tail": 0.15}},
}
SUMMARY = Summary(
    "Books & <more>",
    [("Users", "7"), ("Run", "2026")],
    "The hybrid against the <best>.",
    "On head items it costs <something>.",
    ["Sales: `kedro <run>` shows none."],
)
ENTRIES = [
    Entry("Cats & <dogs>", "pets, fur", "tail", True, "Similar to '<dogs>'.", "i1"),
    Entry("A very long title " * 8, "", "head", False, "", "i2"),
]
EXAMPLE = Example("u1", 3, 1, ENTRIES, ENTRIES[:1], {"hybrid": ENTRIES, "als": ENTRIES[1:]})


def rendered(lists: Lists) -> str:
    figures = {
        "leaderboard_plot": ALL["leaderboard"](),
        "lift_plot": ALL["lift"](),
        "tail_emphasis_plot": tail_emphasis_plot(GATE, 20),
        "gate_plot": gate_plot(GATE),
    }
    return evaluation_page(
        SUMMARY,
        _leaderboard(),
        [],
        ["Against <all>."],
        figures,
        GATE,
        lists,
        ["half <lost>"],
        [{"file": "items", "sentence": "Ids: <text>. Set `a.b`.", "is_doubt": True}],
        20,
        "als",
        0.95,
    )


@pytest.fixture(scope="module")
def page() -> str:
    others = [replace(EXAMPLE, user_id=f"u{number}") for number in range(2, 5)]
    return rendered(Lists([EXAMPLE], [EXAMPLE, *others], 9))


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


def test_the_page_says_how_the_files_were_read(page: str) -> None:
    line = '<li class="doubt">items: Ids: &lt;text&gt;. Set <code>a.b</code>.</li>'
    assert line in page[page.index("<h2>The data</h2>") :]


def test_data_run_result_and_price_stand_before_the_first_table(page: str) -> None:
    first_screen = page[page.index("<h1>") : page.index("<h2>Which model")]
    for text in (
        "Books &amp; &lt;more&gt;",
        "<dt>Run</dt><dd>2026</dd>",
        "The hybrid against the &lt;best&gt;.",
        "On head items it costs &lt;something&gt;.",
        "<li>Sales: <code>kedro &lt;run&gt;</code> shows none.</li>",
    ):
        assert text in first_screen


def test_tables_come_first_then_figures_then_statistics(page: str) -> None:
    sections = re.findall(r'<section id="(\w+)"', page)
    assert sections == ["tables", "figures", "hybrid", "lists", "data", "statistics", "glossary"]
    assert page.index("<li>Against &lt;all&gt;.</li>") > page.index('id="statistics"')


def test_the_hybrid_comes_first_then_the_best_by_ndcg(page: str) -> None:
    rows = [row("poor", "ndcg", 0.1), row("hybrid", "ndcg", 0.2), row("good", "ndcg", 0.3)]
    rows += [row("unranked", "gini", 0.3)]
    order = ["hybrid", "good", "poor", "unranked"]
    assert model_order(rows, 20) == order
    assert [model for model, _ in table(rows, EXPOSURE_COLUMNS, 20)["rows"]] == order
    bodies = re.findall(r"<tbody>(.*?)</tbody>", page, re.DOTALL)
    shown = re.findall(r"<tr[^>]*><td>\s*<abbr[^>]*>(\w+)<", bodies[0])
    assert shown == ["hybrid", "als", "popularity"]


def test_names_are_explained_on_hover_and_in_the_glossary(page: str) -> None:
    assert re.search(r'<abbr title="Share of a user&#39;s relevant items.*?">Recall</abbr>', page)
    assert '<abbr title="Rank items by their number of users.">popularity</abbr>' in page
    for name in (*glossary([])["Metrics"], "popularity", "tail emphasis"):
        assert f"<dt>{name}</dt>" in page


def test_every_column_has_a_meaning() -> None:
    columns = [column for columns in (EXPOSURE_COLUMNS, TASTE_COLUMNS) for column in columns]
    rows = [
        row("a", c.metric, 0.5, item_group=c.item_group, user_group=c.user_group)
        for c in (*columns, *quality_columns(), *quality_columns("_warm_only"))
    ]
    rows = [r | {"k": None} if r["metric"] == "trials" else r for r in rows]
    for shown in (columns, quality_columns(), quality_columns("_warm_only", cold=False)):
        meanings = table(rows, shown, 20)["meanings"]
        assert len(meanings) == len(shown)
        assert all(meanings)


def test_the_slider_has_the_front_of_the_gate(page: str) -> None:
    front = json.loads(re.search(r"const front = (\[.*?\]);", page)[1])
    assert front == [
        {name: value for name, value in point.items() if name != "recall_cold"}
        | {"chosen": point["tail_emphasis"] == 0.1}
        for point in GATE["front"]
    ]
    assert 'type="range" id="emphasis" min="0" max="2"' in page


def test_the_search_states_its_sample_and_holds_it(page: str) -> None:
    assert "a sample of 4 of the 9 evaluated users" in page
    held = re.search(r'<script type="application/json" id="searched">(.*?)</script>', page)[1]
    searched = json.loads(held)
    assert [user["id"] for user in searched["users"]] == ["u1", "u2", "u3", "u4"]
    assert [item[:2] for item in searched["items"]] == [[e.item_id, e.title] for e in ENTRIES]
    assert searched["users"][0]["lists"]["hybrid"] == [[0, 1, "Similar to '<dogs>'."], [1, 0, ""]]


def test_withheld_lists_leave_no_user() -> None:
    page = rendered(Lists(n_users=9, withheld=True))
    assert "Lists of single users are left out" in page
    assert 'id="search' not in page
    assert "<h3>User" not in page


def test_reasons_stand_beside_the_items_of_the_hybrid(page: str) -> None:
    assert page.count('<small class="reason">Similar to &#39;&lt;dogs&gt;&#39;.</small>') == 3


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
    assert drawn == ["leaderboard_plot", "lift_plot", "tail_emphasis_plot", "gate_plot"]
    assert done.stdout.count('class="main-svg"') >= 2
    assert "NDCG@20, mean over users with a history" in done.stdout


@pytest.mark.parametrize("width", [390, 1366])
def test_slider_and_search_work_at_every_width(
    chromium: str, page: str, tmp_path: Path, width: int
) -> None:
    file = tmp_path / "report.html"
    file.write_text(page, encoding="utf-8")
    at_end = "slider.value = 2; slider.oninput();"
    type_in = "document.getElementById('find').value = {!r}; search();"
    buttons = "[...document.querySelectorAll('#found button')].map((b) => b.textContent)"
    shown = "document.getElementById('shown').textContent"
    click = "document.querySelector('{}').click();"
    visited = visit(
        chromium,
        file.as_uri(),
        tmp_path / "profile",
        width,
        [
            "document.documentElement.scrollWidth",
            at_end + "document.getElementById('emphasis_says').textContent",
            "document.querySelector('#front tr.shown').rowIndex",
            type_in.format("u3") + buttons,
            click.format("#found button") + shown,
            type_in.format("DOGS") + buttons,
            click.format("#found button") + shown,
            click.format("#shown button") + shown,
            type_in.format("nobody") + "document.getElementById('found').textContent",
            "document.documentElement.scrollWidth",
        ],
    )
    assert visited.errors == []
    before, says, place, users, user, items, item, user_of_item, none, after = visited.values
    assert (before, after) == (width, width)
    assert says.startswith("tail emphasis 0.2, differences to the chosen value in brackets: NDCG")
    assert "0.1000 (-0.1000), tail recall 0.3000 (+0.1000)" in says
    assert place == 3
    assert users == ["User u3"]
    assert user.startswith("User u3Recommended by hybrid")
    assert "Similar to '<dogs>'." in user
    assert items == ["Cats & <dogs>"]
    assert "Recommended by hybrid (4)u1 at 1" in item
    assert "In the history of (4)u1" in item
    assert user_of_item.startswith("User u1")
    assert none == "No user or item of the sample."
