"""Figures of popularity: recall by popularity of the item, and exposure of the catalogue."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from longtail.metrics.exposure import gini, lorenz_curve, popularity_deciles
from longtail.reporting.figures.style import base_figure, line_style, styles_of

_CURVE_POINTS = 201


def recall_by_popularity_plot(
    per_item: pd.DataFrame, k: int, models: Sequence[str] | None = None
) -> go.Figure:
    """Draw recall by popularity decile of the relevant items.

    Args:
        per_item: the per-item metrics.
        k: list length.
        models: the models to draw; all by default.
    """
    figure = base_figure(
        f"Recall@{k} by popularity of the relevant item",
        "Popularity decile (each a tenth of the warm items; below: test interactions)",
        f"Recall@{k} (share of test interactions found, 0 to 1)",
    )
    rows = popularity_deciles(per_item[per_item["k"] == k]).dropna(subset="recall")
    styles = styles_of(per_item["model"])
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
                **line_style(styles[model]),
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
    """Draw the distribution of list positions over the catalogue (Lorenz curves).

    Args:
        per_item: the per-item metrics.
        k: list length.
        models: the models to draw; all by default.
    """
    figure = base_figure(
        f"Exposure: distribution of the first {k} list positions over the catalogue",
        "Items, least exposed first (% of the catalogue)",
        "List positions (% of all)",
    )
    rows = per_item[per_item["k"] == k]
    styles = styles_of(rows["model"])
    for model in styles if models is None else models:
        counts = rows.loc[rows["model"] == model, "n_recommended"].to_numpy()
        if not counts.any():
            continue
        share_of_items, share_of_positions = lorenz_curve(counts)
        at = np.linspace(0, 1, _CURVE_POINTS)
        figure.add_trace(
            go.Scatter(
                x=100 * at,
                y=100 * np.interp(at, share_of_items, share_of_positions),
                mode="lines",
                name=f"{model} (Gini {gini(counts):.2f})",
                hovertemplate="%{y:.1f} %",
                line=line_style(styles[model])["line"],
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
