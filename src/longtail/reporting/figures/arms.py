"""Figure of the contrasts between arms."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from longtail.metrics.arms import CONTRASTS, GROUPS, shown_rows
from longtail.reporting.figures.style import Rows, base_figure, marker, percent


def contrasts_plot(contrasts: Rows, k: int, confidence: float) -> go.Figure:
    """Draw the ratio of each contrast with its interval, by group.

    Args:
        contrasts: rows of the contrasts.
        k: list length.
        confidence: coverage of the intervals.
    """
    shown = [(label, row) for label, row in shown_rows(list(contrasts), k) if row["ratio"]]
    figure = base_figure(
        f"What text and the language model bring (K = {k}, {percent(confidence)} intervals)",
        "ratio of the first arm to the second (NDCG or Recall)",
        "",
    )
    for style, contrast in enumerate(CONTRASTS.values()):
        rows = pd.DataFrame(
            [{"group": label, **row} for label, row in shown if row["contrast"] == contrast]
        )
        if rows.empty:
            continue
        ratio = rows["ratio"].astype(float)
        figure.add_scatter(
            x=ratio,
            y=rows["group"],
            name=contrast,
            mode="markers",
            marker=marker(style),
            error_x={
                "type": "data",
                "symmetric": False,
                "array": rows["ratio_ci_high"].astype(float) - ratio,
                "arrayminus": ratio - rows["ratio_ci_low"].astype(float),
            },
            customdata=rows["verdict"],
            hovertemplate="%{y}: x%{x:.3f}, %{customdata}<extra>%{fullData.name}</extra>",
        )
    figure.add_vline(x=1, line={"color": "#444444", "dash": "dot"})
    labels = [label for label, *_ in GROUPS]
    figure.update_layout(scattermode="group")
    figure.update_yaxes(categoryorder="array", categoryarray=labels[::-1])
    return figure
