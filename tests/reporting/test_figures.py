import json
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import pytest

from longtail.reporting import figures
from longtail.reporting.figures.hybrid import gate_plot

MODELS = ("popularity", "als", "hybrid")


def _leaderboard() -> list[dict[str, Any]]:
    return [
        {
            "model": model, "metric": metric, "k": 20, "item_group": group, "user_group": "all",
            "value": 0.1 * (place + 1), "ci_low": low, "ci_high": 0.1 * (place + 1) + 0.02,
            "n_users": 7,
        }
        for place, (model, low) in enumerate(zip(MODELS, (None, 0.15, 0.28), strict=True))
        for metric in ("ndcg", "recall")
        for group in ("all", "tail")
    ]  # fmt: skip


def _per_item() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "model": [model for model in MODELS for _ in range(4)],
            "item_id": list("abcd") * 3,
            "item_group": ["head", "tail", "tail", "cold"] * 3,
            "interaction_count": [9, 3, 1, 0] * 3,
            "k": 20,
            "n_recommended": [4, 0, 0, 0, 2, 1, 1, 0, 1, 1, 1, 1],
            "n_relevant": [2, 2, 0, 1] * 3,
            "n_hits": [2, 0, 0, 0, 1, 1, 0, 0, 1, 2, 0, 1],
        }
    )


def _comparisons() -> list[dict[str, Any]]:
    return [
        {
            "model": "hybrid", "baseline": "als", "metric": "recall", "k": 20,
            "item_group": group, "user_group": "all", "ratio": ratio, "ratio_ci_low": ratio and 1.2,
            "ratio_ci_high": ratio and 1.9, "n_users": 7,
        }
        for group, ratio in [("all", 1.5), ("tail", 1.5), ("cold", None)]
    ]  # fmt: skip


ALL = {
    "leaderboard": lambda: figures.leaderboard_plot(_leaderboard(), 20, 0.95),
    "tail": lambda: figures.tail_against_overall_plot(_leaderboard(), 20, 0.95),
    "popularity": lambda: figures.recall_by_popularity_plot(_per_item(), 20),
    "exposure": lambda: figures.exposure_plot(_per_item(), 20),
    "lift": lambda: figures.lift_plot(_leaderboard(), _comparisons(), 20, 0.95),
    "by k": lambda: figures.metric_by_k_plot(_leaderboard(), 20),
}


@pytest.mark.parametrize("name", ALL)
def test_figures_are_titled_labelled_and_valid(name: str) -> None:
    figure: go.Figure = ALL[name]()
    assert figure.layout.title.text
    assert figure.layout.xaxis.title.text
    # Several panels are labelled by their headings.
    assert figure.layout.yaxis.title.text or len(figure.layout.annotations) == 3
    assert json.loads(figure.to_json())["data"]


@pytest.mark.parametrize("name", ["leaderboard", "tail"])
def test_points_differ_without_colour(name: str) -> None:
    symbols = [trace.marker.symbol for trace in ALL[name]().data]
    assert len(set(symbols)) == len(symbols) == 3


@pytest.mark.parametrize("name", ["popularity", "exposure"])
def test_curves_differ_without_colour(name: str) -> None:
    dashes = [trace.line.dash for trace in ALL[name]().data][:3]
    assert len(set(dashes)) == 3


def test_the_best_model_is_on_top_with_its_interval() -> None:
    best = ALL["leaderboard"]().data[-1]
    assert best.y == ("hybrid",)
    assert best.error_x.array[0] == pytest.approx(0.02)
    assert best.error_x.arrayminus[0] == pytest.approx(0.02)


def test_a_missing_end_of_an_interval_draws_no_bar() -> None:
    worst = ALL["leaderboard"]().data[0]
    assert worst.y == ("popularity",)
    assert worst.error_x.arrayminus[0] == 0.0


def test_support_is_written_below_the_deciles() -> None:
    labels = ALL["popularity"]().layout.xaxis.ticktext
    assert labels[0] == "cold<br>1"


def test_models_without_lists_have_no_lorenz_curve() -> None:
    rows = _per_item().assign(n_recommended=[0] * 4 + [1] * 8)
    names = [trace.name for trace in figures.exposure_plot(rows, 20).data]
    assert names == ["als (Gini 0.00)", "hybrid (Gini 0.00)", "equal exposure"]


def test_figures_without_tail_results_are_empty_but_valid() -> None:
    rows = [row for row in _leaderboard() if row["item_group"] == "all"]
    assert not figures.tail_against_overall_plot(rows, 20, 0.95).data


def test_headline_models_are_the_fixed_ones_and_the_best() -> None:
    rows = [
        _leaderboard()[0] | {"model": model, "value": value}
        for model, value in [
            ("popularity", 0.1), ("good", 0.4), ("als", 0.3), ("poor", 0.2), ("hybrid", 0.5)
        ]
    ]  # fmt: skip
    chosen = figures.headline_models(rows, 20, "als", limit=4)
    assert chosen == ["popularity", "good", "als", "hybrid"]


def test_lift_leaves_out_groups_without_a_ratio() -> None:
    figure = ALL["lift"]()
    assert figure.layout.yaxis.ticktext == ("tail items, all users", "all items, all users")
    (trace,) = figure.data
    assert trace.name == "hybrid"
    assert list(trace.x) == [1.5, 1.5]


def test_lift_without_comparisons_is_empty() -> None:
    assert not figures.lift_plot(_leaderboard(), [], 20, 0.95).data


def test_a_second_round_of_styles_differs_from_the_first() -> None:
    rows = [_leaderboard()[0] | {"model": f"m{n}", "value": n / 20} for n in range(16)]
    markers = [trace.marker for trace in figures.leaderboard_plot(rows, 20, 0.95).data]
    assert len({(marker.symbol, marker.color) for marker in markers}) == 16


def test_every_bar_of_the_gate_has_its_name() -> None:
    gate = {"importance": {f"feature_{number}": 1 - number / 20 for number in range(43)}}
    figure = gate_plot(gate)
    assert len(figure.data[0].y) == 43
    assert figure.layout.yaxis.dtick == 1
    assert figure.layout.height >= 20 * 43
