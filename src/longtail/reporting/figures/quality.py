"""Figures of ranking quality: leaderboard, tail against overall, lift, quality by list length."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from longtail.reporting.figures.style import (
    AXIS,
    Rows,
    base_figure,
    error_bars,
    line_style,
    marker,
    percent,
    select,
    styles_of,
)

_RATIO_TICKS = (0.1, 0.2, 0.5, 0.7, 1, 1.5, 2, 3, 5, 10, 20, 50, 100)
_MOST_NAMED_POINTS = 8
# Item group, user group.
_LIFT_GROUPS = (
    ("all", "all"),
    ("head", "all"),
    ("tail", "all"),
    ("cold", "all"),
    ("all", "active"),
    ("all", "quiet"),
    ("head", "quiet"),
    ("tail", "quiet"),
    ("all", "new"),
)


def leaderboard_plot(leaderboard: Rows, k: int, confidence: float) -> go.Figure:
    """Draw overall NDCG of every model with its interval, best model on top.

    Args:
        leaderboard: rows of the leaderboard.
        k: list length.
        confidence: coverage of the intervals.
    """
    figure = base_figure(
        f"Ranking quality: NDCG@{k} of each model with {percent(confidence)} interval",
        f"NDCG@{k}, mean over users with a history (0 to 1)",
        "Model",
    )
    rows = select(leaderboard, "ndcg", k)
    styles = styles_of(rows["model"])
    for row in rows.sort_values("value").itertuples():
        figure.add_trace(
            go.Scatter(
                x=[row.value],
                y=[row.model],
                error_x=error_bars(pd.DataFrame([row])),
                mode="markers",
                cliponaxis=False,
                marker=marker(styles[str(row.model)]),
                name=row.model,
                hovertemplate=f"%{{y}}: %{{x:.4f}}<br>{row.n_users} users<extra></extra>",
            )
        )
        figure.add_annotation(
            x=np.nanmax(np.array([row.value, row.ci_high], dtype=float)),
            y=row.model,
            text=f"{row.value:.4f}",
            showarrow=False,
            xanchor="left",
            xshift=12,
        )
    figure.update_xaxes(rangemode="tozero")
    return figure.update_layout(showlegend=False)


def tail_against_overall_plot(leaderboard: Rows, k: int, confidence: float) -> go.Figure:
    """Draw tail recall against overall NDCG, one point per model; up and right is better.

    Args:
        leaderboard: rows of the leaderboard.
        k: list length.
        confidence: coverage of the intervals.
    """
    figure = base_figure(
        "Tail recall against overall ranking quality"
        f" (bars: {percent(confidence)} interval over users)",
        f"NDCG@{k} overall (0 to 1)",
        f"Recall@{k} on tail items (0 to 1)",
    )
    overall = select(leaderboard, "ndcg", k)
    tail = select(leaderboard, "recall", k, item_group="tail").set_index("model")
    styles = styles_of(overall["model"])
    both = overall[overall["model"].isin(tail.index)].sort_values("value", ascending=False)
    crowded = len(both) > _MOST_NAMED_POINTS
    for place, row in enumerate(both.itertuples()):
        beside = tail.loc[[row.model]]
        figure.add_trace(
            go.Scatter(
                x=[row.value],
                y=beside["value"],
                error_x=error_bars(pd.DataFrame([row])),
                error_y=error_bars(beside),
                # Names of many points would overlap: a legend names them.
                mode="markers" if crowded else "markers+text",
                cliponaxis=False,
                text=[row.model],
                # Alternate sides, so that the names of neighbouring points do not overlap.
                textposition="bottom right" if place % 2 else "top right",
                marker=marker(styles[str(row.model)]),
                name=row.model,
                hovertemplate="%{text}<br>overall %{x:.4f}, tail %{y:.4f}<extra></extra>",
            )
        )
    figure.update_xaxes(rangemode="tozero")
    figure.update_yaxes(rangemode="tozero")
    return figure.update_layout(showlegend=crowded)


def headline_models(leaderboard: Rows, k: int, baseline: str, limit: int = 6) -> list[str]:
    """Choose the models to draw in figures with one curve per model, to keep them readable.

    Baseline, hybrid and popularity, filled up to ``limit`` with the best others by overall NDCG.

    Args:
        leaderboard: rows of the leaderboard.
        k: list length.
        baseline: the model that all others are compared with.
        limit: number of models.

    Returns:
        Model names in the order of the leaderboard.
    """
    rows = select(leaderboard, "ndcg", k).sort_values("value", ascending=False, kind="stable")
    always = [
        model for model in (baseline, "hybrid", "popularity") if (rows["model"] == model).any()
    ]
    best = [model for model in rows["model"] if model not in always]
    chosen = {*always, *best[: max(0, limit - len(always))]}
    return [model for model in rows.sort_index()["model"] if model in chosen]


def lift_plot(
    leaderboard: Rows,
    comparisons: Rows,
    k: int,
    confidence: float,
    models: Sequence[str] | None = None,
) -> go.Figure:
    """Draw the ratio of each model's recall to the baseline's, by item group and user group.

    Args:
        leaderboard: rows of the leaderboard.
        comparisons: rows of the comparisons.
        k: list length.
        confidence: coverage of the intervals.
        models: the models to draw; all by default.
    """
    rows = pd.DataFrame([row for row in comparisons if (row["metric"], row["k"]) == ("recall", k)])
    baseline = "the baseline" if rows.empty else rows["baseline"].iloc[0]
    figure = base_figure(
        f"Recall@{k} relative to {baseline}, {percent(confidence)} interval over users",
        f"Ratio to the Recall@{k} of {baseline} (1: equal; logarithmic)",
        "Group",
    )
    if rows.empty:
        return figure
    defined = rows.dropna(subset=["ratio", "ratio_ci_low"])
    defined = defined[(defined["ratio"] > 0) & (defined["ratio_ci_low"] > 0)]
    keys = list(zip(defined["item_group"], defined["user_group"], strict=True))
    present = [group for group in _LIFT_GROUPS if group in keys]
    heights = {group: place for place, group in enumerate(reversed(present))}
    places = pd.Series(keys, index=defined.index).map(heights)
    defined = defined.assign(height=places).dropna(subset=["height"])
    styles = styles_of(pd.Series([row["model"] for row in leaderboard]))
    compared = defined["model"].unique()
    wanted = compared if models is None else set(models) & set(compared)
    shown = [model for model in styles if model in wanted]
    for place, model in enumerate(shown):
        curve = defined[defined["model"] == model]
        figure.add_trace(
            go.Scatter(
                x=curve["ratio"],
                y=curve["height"] + 0.7 * ((len(shown) - 1) / 2 - place) / len(shown),
                error_x={
                    "type": "data",
                    "symmetric": False,
                    "array": (curve["ratio_ci_high"] - curve["ratio"]).to_list(),
                    "arrayminus": (curve["ratio"] - curve["ratio_ci_low"]).to_list(),
                    "thickness": 1.2,
                    "width": 3,
                },
                customdata=curve["n_users"],
                mode="markers",
                name=model,
                marker=marker(styles[model]) | {"size": 9},
                hovertemplate="x%{x:.2f}, %{customdata} users",
            )
        )
    figure.add_vline(x=1, line={"color": "#444444", "width": 1})
    labels = [f"{items} items, {users} users" for items, users in heights]
    figure.update_xaxes(
        type="log", tickvals=_RATIO_TICKS, ticktext=[f"{t:g}" for t in _RATIO_TICKS]
    )
    figure.update_yaxes(
        tickvals=list(heights.values()), ticktext=labels, range=[-0.6, len(heights) - 0.4]
    )
    return figure


def metric_by_k_plot(
    leaderboard: Rows, primary_k: int, models: Sequence[str] | None = None
) -> go.Figure:
    """Draw NDCG, recall and tail recall by list length.

    Args:
        leaderboard: rows of the leaderboard.
        primary_k: the list length of the other figures, printed in bold.
        models: the models to draw; all by default.
    """
    panels = {
        "NDCG": ("ndcg", "all"),
        "Recall": ("recall", "all"),
        "Tail recall": ("recall", "tail"),
    }
    figure = make_subplots(rows=1, cols=len(panels), subplot_titles=list(panels))
    figure.update_layout(base_figure("Ranking quality by list length", "", "").layout)
    table = pd.DataFrame(leaderboard)
    styles = styles_of(table["model"])
    for column, (metric, group) in enumerate(panels.values(), start=1):
        chosen = table[
            (table["metric"] == metric)
            & (table["item_group"] == group)
            & (table["user_group"] == "all")
        ]
        for model in styles if models is None else models:
            curve = chosen[chosen["model"] == model].sort_values("k")
            figure.add_trace(
                go.Scatter(
                    x=curve["k"],
                    y=curve["value"],
                    mode="lines+markers",
                    name=model,
                    legendgroup=model,
                    showlegend=column == 1,
                    hovertemplate="%{y:.4f} at %{x}",
                    **line_style(styles[model]),
                ),
                row=1,
                col=column,
            )
    lengths = sorted(int(k) for k in table.loc[table["metric"] == "ndcg", "k"].unique())
    labels = [f"<b>{k}</b>" if k == primary_k else str(k) for k in lengths]
    figure.update_xaxes(AXIS, title={"text": "List length K"}, tickvals=lengths, ticktext=labels)
    return figure.update_yaxes(AXIS, rangemode="tozero", title={"text": ""})
