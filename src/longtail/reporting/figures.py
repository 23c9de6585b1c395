"""Plotly figures of the evaluation; models differ by symbol and dash as well as by colour."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from longtail.metrics.exposure import gini, lorenz_curve, recall_by_popularity

Rows = Sequence[dict[str, Any]]

# Okabe and Ito's colours, distinguishable with every colour vision and in grey.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000", "#7F7F7F")
_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x", "star", "triangle-down")
_DASHES = (
    "solid",
    "dash",
    "dot",
    "dashdot",
    "longdash",
    "longdashdot",
    "2px,6px",
    "14px,3px,3px,3px,3px,3px",
)
_CURVE_POINTS = 201


def leaderboard_plot(leaderboard: Rows, k: int, confidence: float) -> go.Figure:
    """Draw overall NDCG of every model with its interval, the best on top.

    Args:
        leaderboard: rows of the leaderboard.
        k: list length.
        confidence: coverage of the intervals.
    """
    figure = _figure(
        f"Ranking quality of each model: NDCG@{k}, {_percent(confidence)} interval over users",
        f"NDCG@{k}, mean over users with a history (0 to 1)",
        "Model",
    )
    rows = _select(leaderboard, "ndcg", k)
    styles = _styles(rows["model"])
    for row in rows.sort_values("value").itertuples():
        figure.add_trace(
            go.Scatter(
                x=[row.value],
                y=[row.model],
                error_x=_whiskers(pd.DataFrame([row])),
                mode="markers+text",
                cliponaxis=False,
                text=[f"{row.value:.4f}"],
                textposition="top center",
                marker=_marker(styles[str(row.model)]),
                name=row.model,
                hovertemplate=f"%{{y}}: %{{x:.4f}}<br>{row.n_users} users<extra></extra>",
            )
        )
    figure.update_xaxes(rangemode="tozero")
    return figure.update_layout(showlegend=False)


def tail_against_overall_plot(leaderboard: Rows, k: int, confidence: float) -> go.Figure:
    """Draw tail recall against overall NDCG, one point a model; up and right is better.

    Args:
        leaderboard: rows of the leaderboard.
        k: list length.
        confidence: coverage of the intervals.
    """
    figure = _figure(
        "What each model gives the tail, and at what cost overall"
        f" (bars: {_percent(confidence)} interval over users)",
        f"NDCG@{k} overall (0 to 1)",
        f"Recall@{k} on tail items (0 to 1)",
    )
    overall = _select(leaderboard, "ndcg", k)
    tail = _select(leaderboard, "recall", k, item_group="tail").set_index("model")
    styles = _styles(overall["model"])
    for row in overall[overall["model"].isin(tail.index)].itertuples():
        beside = tail.loc[[row.model]]
        figure.add_trace(
            go.Scatter(
                x=[row.value],
                y=beside["value"],
                error_x=_whiskers(pd.DataFrame([row])),
                error_y=_whiskers(beside),
                mode="markers+text",
                cliponaxis=False,
                text=[row.model],
                textposition="top right",
                marker=_marker(styles[str(row.model)]),
                name=row.model,
                hovertemplate="%{text}<br>overall %{x:.4f}, tail %{y:.4f}<extra></extra>",
            )
        )
    figure.update_xaxes(rangemode="tozero")
    figure.update_yaxes(rangemode="tozero")
    return figure.update_layout(showlegend=False)


def recall_by_popularity_plot(per_item: pd.DataFrame, k: int) -> go.Figure:
    """Draw recall by popularity decile of the item that the user went on to consume.

    Args:
        per_item: the per-item metrics.
        k: list length.
    """
    figure = _figure(
        f"Recall@{k} by popularity of the item the user went on to consume",
        "Popularity decile of the item (each a tenth of the warm items; test interactions below)",
        f"Recall@{k} (share found, 0 to 1)",
    )
    rows = recall_by_popularity(per_item, k)
    styles = _styles(per_item["model"])
    for model in styles:
        curve = rows[rows["model"] == model]
        figure.add_trace(
            go.Scatter(
                x=curve["decile"],
                y=curve["recall"],
                customdata=curve["n_relevant"],
                mode="lines+markers",
                cliponaxis=False,
                name=model,
                hovertemplate="%{y:.4f} of %{customdata} interactions",
                **_line(styles[model]),
            )
        )
    support = rows.groupby("decile")["n_relevant"].first()
    counts = zip(support.index.to_list(), support.to_list(), strict=True)
    labels = {0: "cold", 1: "1 (least)", 10: "10 (most)"}
    figure.update_xaxes(
        tickvals=support.index.to_list(),
        ticktext=[f"{labels.get(decile, decile)}<br>{n:,}" for decile, n in counts],
    )
    figure.update_yaxes(rangemode="tozero")
    return figure.update_layout(hovermode="x unified")


def exposure_plot(per_item: pd.DataFrame, k: int) -> go.Figure:
    """Draw how the places in the lists are shared out over the catalogue (Lorenz curves).

    Args:
        per_item: the per-item metrics.
        k: list length.
    """
    figure = _figure(
        f"How the first {k} places of all lists are shared out over the catalogue",
        "Items, least shown first (% of the catalogue)",
        "Places in the lists (% of all)",
    )
    rows = per_item[per_item["k"] == k]
    styles = _styles(rows["model"])
    for model, items in rows.groupby("model", sort=False):
        counts = items["n_recommended"].to_numpy()
        if not counts.any():
            continue
        share_of_items, share_of_places = lorenz_curve(counts)
        at = np.linspace(0, 1, _CURVE_POINTS)
        figure.add_trace(
            go.Scatter(
                x=100 * at,
                y=100 * np.interp(at, share_of_items, share_of_places),
                mode="lines",
                name=f"{model} (Gini {gini(counts):.2f})",
                hovertemplate="%{y:.1f} %",
                line=_line(styles[str(model)])["line"],
            )
        )
    figure.add_trace(
        go.Scatter(
            x=[0, 100],
            y=[0, 100],
            mode="lines",
            name="equal exposure",
            hoverinfo="skip",
            line={"color": "#999999", "width": 1},
        )
    )
    figure.update_xaxes(range=[0, 100])
    figure.update_yaxes(range=[0, 100])
    return figure.update_layout(hovermode="x unified")


def _figure(title: str, x_title: str, y_title: str) -> go.Figure:
    axis = {"showline": True, "linecolor": "#444444", "ticks": "outside", "automargin": True}
    return go.Figure(
        layout={
            "template": "plotly_white",
            "font": {"family": "Helvetica, Arial, sans-serif", "size": 14, "color": "#222222"},
            "title": {"text": title, "font": {"size": 17}, "x": 0.01, "xanchor": "left"},
            "xaxis": axis | {"title": {"text": x_title}},
            "yaxis": axis | {"title": {"text": y_title}},
            "legend": {"x": 1.02, "y": 1.0, "xanchor": "left", "yanchor": "top"},
            "margin": {"l": 80, "r": 40, "t": 70, "b": 80},
        }
    )


def _select(
    leaderboard: Rows, metric: str, k: int, item_group: str = "all", user_group: str = "all"
) -> pd.DataFrame:
    wanted = {"metric": metric, "k": k, "item_group": item_group, "user_group": user_group}
    rows = [row for row in leaderboard if wanted.items() <= row.items()]
    return pd.DataFrame(rows, columns=["model", "value", "ci_low", "ci_high", "n_users"])


def _styles(models: pd.Series) -> dict[str, int]:
    return {str(model): place for place, model in enumerate(models.unique())}


def _marker(style: int) -> dict[str, Any]:
    return {
        "symbol": _SYMBOLS[style % len(_SYMBOLS)],
        "color": _COLOURS[style % len(_COLOURS)],
        "size": 12,
    }


def _line(style: int) -> dict[str, Any]:
    colour, dash = _COLOURS[style % len(_COLOURS)], _DASHES[style % len(_DASHES)]
    return {"line": {"color": colour, "dash": dash, "width": 2.5}, "marker": _marker(style)}


def _whiskers(row: pd.DataFrame) -> dict[str, Any]:
    """Return error bars from the interval; without one there is no bar."""
    value = row["value"].astype(float)
    return {
        "type": "data",
        "symmetric": False,
        "array": (row["ci_high"].astype(float) - value).fillna(0.0).to_list(),
        "arrayminus": (value - row["ci_low"].astype(float)).fillna(0.0).to_list(),
        "thickness": 1.5,
        "width": 6,
    }


def _percent(share: float) -> str:
    return f"{100 * share:g} %"
