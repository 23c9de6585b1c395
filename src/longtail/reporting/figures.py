"""Plotly figures of the evaluation; models differ by symbol and dash as well as by colour."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from longtail.metrics.exposure import gini, lorenz_curve, popularity_deciles

Rows = Sequence[dict[str, Any]]

# Okabe and Ito's colours, distinguishable with every colour vision and in grey.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000", "#7F7F7F")
_SHAPES = ("circle", "square", "diamond", "triangle-up", "cross", "x", "star", "triangle-down")
_SYMBOLS = (*_SHAPES, *(f"{shape}-open" for shape in _SHAPES))
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
_AXIS = {"showline": True, "linecolor": "#444444", "ticks": "outside", "automargin": True}
_RATIO_TICKS = (0.1, 0.2, 0.5, 0.7, 1, 1.5, 2, 3, 5, 10, 20, 50, 100)
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
    """Draw overall NDCG of every model with its interval, the best on top.

    Args:
        leaderboard: rows of the leaderboard.
        k: list length.
        confidence: coverage of the intervals.
    """
    figure = base_figure(
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
                mode="markers",
                cliponaxis=False,
                marker=_marker(styles[str(row.model)]),
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
    """Draw tail recall against overall NDCG, one point a model; up and right is better.

    Args:
        leaderboard: rows of the leaderboard.
        k: list length.
        confidence: coverage of the intervals.
    """
    figure = base_figure(
        "What each model gives the tail, and at what cost overall"
        f" (bars: {_percent(confidence)} interval over users)",
        f"NDCG@{k} overall (0 to 1)",
        f"Recall@{k} on tail items (0 to 1)",
    )
    overall = _select(leaderboard, "ndcg", k)
    tail = _select(leaderboard, "recall", k, item_group="tail").set_index("model")
    styles = _styles(overall["model"])
    both = overall[overall["model"].isin(tail.index)].sort_values("value")
    for place, row in enumerate(both.itertuples()):
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
                # Neighbours on the axis get their names on different sides.
                textposition="bottom right" if place % 2 else "top right",
                marker=_marker(styles[str(row.model)]),
                name=row.model,
                hovertemplate="%{text}<br>overall %{x:.4f}, tail %{y:.4f}<extra></extra>",
            )
        )
    figure.update_xaxes(rangemode="tozero")
    figure.update_yaxes(rangemode="tozero")
    return figure.update_layout(showlegend=False)


def headline_models(leaderboard: Rows, k: int, baseline: str, limit: int = 6) -> list[str]:
    """Choose the models of the figures that hold one curve a model: more cannot be told apart.

    The baseline, the hybrid and popularity, and up to ``limit`` the best others by overall NDCG.

    Args:
        leaderboard: rows of the leaderboard.
        k: list length.
        baseline: the model that the others are compared with.
        limit: how many models.

    Returns:
        Names in the order of the leaderboard.
    """
    rows = _select(leaderboard, "ndcg", k).sort_values("value", ascending=False, kind="stable")
    always = [
        model for model in (baseline, "hybrid", "popularity") if (rows["model"] == model).any()
    ]
    best = [model for model in rows["model"] if model not in always]
    chosen = {*always, *best[: max(0, limit - len(always))]}
    return [model for model in rows.sort_index()["model"] if model in chosen]


def recall_by_popularity_plot(
    per_item: pd.DataFrame, k: int, models: Sequence[str] | None = None
) -> go.Figure:
    """Draw recall by popularity decile of the item that the user went on to consume.

    Args:
        per_item: the per-item metrics.
        k: list length.
        models: the models to draw; all by default.
    """
    figure = base_figure(
        f"Recall@{k} by popularity of the item the user went on to consume",
        "Popularity decile of the item (each a tenth of the warm items; test interactions below)",
        f"Recall@{k} (share found, 0 to 1)",
    )
    rows = popularity_deciles(per_item[per_item["k"] == k]).dropna(subset="recall")
    styles = _styles(per_item["model"])
    for model in styles if models is None else models:
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


def exposure_plot(per_item: pd.DataFrame, k: int, models: Sequence[str] | None = None) -> go.Figure:
    """Draw how the places in the lists are shared out over the catalogue (Lorenz curves).

    Args:
        per_item: the per-item metrics.
        k: list length.
        models: the models to draw; all by default.
    """
    figure = base_figure(
        f"How the first {k} places of all lists are shared out over the catalogue",
        "Items, least shown first (% of the catalogue)",
        "Places in the lists (% of all)",
    )
    rows = per_item[per_item["k"] == k]
    styles = _styles(rows["model"])
    for model in styles if models is None else models:
        counts = rows.loc[rows["model"] == model, "n_recommended"].to_numpy()
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
                line=_line(styles[model])["line"],
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


def lift_plot(
    leaderboard: Rows,
    comparisons: Rows,
    k: int,
    confidence: float,
    models: Sequence[str] | None = None,
) -> go.Figure:
    """Draw how many times the baseline's recall each model reaches, for groups of items and users.

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
        f"Recall@{k} relative to {baseline}, {_percent(confidence)} interval over users",
        f"Times the Recall@{k} of {baseline} (1 is equal, logarithmic)",
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
    styles = _styles(pd.Series([row["model"] for row in leaderboard]))
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
                marker=_marker(styles[model]) | {"size": 9},
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
    """Draw NDCG, recall and tail recall by the length of the list.

    Args:
        leaderboard: rows of the leaderboard.
        primary_k: the length that the other figures are about.
        models: the models to draw; all by default.
    """
    panels = {
        "NDCG": ("ndcg", "all"),
        "Recall": ("recall", "all"),
        "Tail recall": ("recall", "tail"),
    }
    figure = make_subplots(rows=1, cols=len(panels), subplot_titles=list(panels))
    figure.update_layout(base_figure("Quality by the length of the list", "", "").layout)
    table = pd.DataFrame(leaderboard)
    styles = _styles(table["model"])
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
                    **_line(styles[model]),
                ),
                row=1,
                col=column,
            )
    lengths = sorted(int(k) for k in table.loc[table["metric"] == "ndcg", "k"].unique())
    labels = [f"<b>{k}</b>" if k == primary_k else str(k) for k in lengths]
    figure.update_xaxes(_AXIS, title={"text": "List length K"}, tickvals=lengths, ticktext=labels)
    return figure.update_yaxes(_AXIS, rangemode="tozero", title={"text": ""})


def folding_in_plot(rows: Rows, k: int, limit: int = 8) -> go.Figure:
    """Draw how the lists of new users get better with their first interactions.

    Args:
        rows: {model, n_folded_in, metric, k, item_group, value, ci_low, ci_high}.
        k: list length.
        limit: models drawn, those that are best with the longest histories.
    """
    figure = base_figure(
        f"New users: NDCG@{k} after their first interactions, without fitting anew",
        "Interactions that the user was given",
        f"NDCG@{k}, mean over hidden users (0 to 1)",
    )
    if not rows:
        return figure
    table = pd.DataFrame(rows).query(f"metric == 'ndcg' and k == {k} and item_group == 'all'")
    styles = _styles(table["model"])
    longest = table[table["n_folded_in"] == table["n_folded_in"].max()]
    for model in longest.nlargest(limit, "value")["model"]:
        curve = table[table["model"] == model].sort_values("n_folded_in")
        figure.add_trace(
            go.Scatter(
                x=curve["n_folded_in"],
                y=curve["value"],
                error_y=_whiskers(curve),
                mode="lines+markers",
                name=model,
                hovertemplate="%{y:.4f} after %{x}",
                **_line(styles[model]),
            )
        )
    return figure.update_yaxes(rangemode="tozero")


def base_figure(title: str, x_title: str, y_title: str) -> go.Figure:
    """Return an empty figure in the style that all figures of the project share."""
    return go.Figure(
        layout={
            "template": "plotly_white",
            "font": {"family": "Helvetica, Arial, sans-serif", "size": 14, "color": "#222222"},
            "title": {"text": title, "font": {"size": 17}, "x": 0.01, "xanchor": "left"},
            "xaxis": _AXIS | {"title": {"text": x_title}},
            "yaxis": _AXIS | {"title": {"text": y_title}},
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
        "color": _colour(style),
        "size": 12,
    }


def _colour(style: int) -> str:
    # The second round begins elsewhere: open symbols then differ in colour from the filled ones.
    return COLOURS[(style + 3 * (style // len(COLOURS))) % len(COLOURS)]


def _line(style: int) -> dict[str, Any]:
    colour = _colour(style)
    dash = _DASHES[(style + style // len(COLOURS)) % len(_DASHES)]
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
