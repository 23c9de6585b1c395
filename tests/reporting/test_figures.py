import json
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import pytest

from longtail.reporting import figures

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


ALL = {
    "leaderboard": lambda: figures.leaderboard_plot(_leaderboard(), 20, 0.95),
    "tail": lambda: figures.tail_against_overall_plot(_leaderboard(), 20, 0.95),
    "popularity": lambda: figures.recall_by_popularity_plot(_per_item(), 20),
    "exposure": lambda: figures.exposure_plot(_per_item(), 20),
}


@pytest.mark.parametrize("name", ALL)
def test_figures_are_titled_labelled_and_valid(name: str) -> None:
    figure: go.Figure = ALL[name]()
    assert figure.layout.title.text
    assert figure.layout.xaxis.title.text
    assert figure.layout.yaxis.title.text
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
