"""Figures of the hybrid: feature weights of the gate, and cost of the tail emphasis."""

from typing import Any

import numpy as np
import plotly.graph_objects as go

from longtail.reporting.figures.style import base_figure


def gate_plot(gate: dict[str, Any]) -> go.Figure:
    """Draw the importance of every feature of the gate, the largest on top.

    Args:
        gate: the saved gate; an importance is the weight per standard deviation of the feature.
    """
    importance = sorted(gate["importance"].items(), key=lambda pair: abs(pair[1]))
    names = [name.replace("_", " ") for name, _ in importance]
    values = np.array([value for _, value in importance])
    figure = base_figure(
        "Gate: weight of each feature in an item's score",
        "Weight per standard deviation of the feature (right: raises the score)",
        "Feature",
    )
    figure.add_trace(
        go.Bar(
            x=values,
            y=names,
            orientation="h",
            marker={
                "color": np.where(values < 0, "#D55E00", "#0072B2"),
                "pattern": {"shape": np.where(values < 0, "/", "").tolist()},
            },
            hovertemplate="%{y}: %{x:.3f}<extra></extra>",
        )
    )
    figure.update_yaxes(dtick=1)  # label every bar
    return figure.update_layout(height=max(400, 22 * len(names)), showlegend=False)


def tail_emphasis_plot(gate: dict[str, Any], k: int) -> go.Figure:
    """Draw tail recall against NDCG on validation for every tail emphasis, the chosen one marked.

    Args:
        gate: the saved gate with its Pareto front.
        k: list length of the validation metrics.
    """
    front = gate["front"]
    chosen = [point["tail_emphasis"] == gate["tail_emphasis"] for point in front]
    figure = base_figure(
        f"Cost of the tail emphasis: tail Recall@{k} against NDCG@{k} on validation",
        f"NDCG@{k}, mean over validation users (0 to 1)",
        f"Recall@{k} on tail items (0 to 1)",
    )
    figure.add_trace(
        go.Scatter(
            x=[point["ndcg"] for point in front],
            y=[point["recall_tail"] for point in front],
            mode="lines+markers+text",
            text=[f"{point['tail_emphasis']:g}" for point in front],
            textposition="top right",
            marker={
                "size": np.where(chosen, 16, 9).tolist(),
                "symbol": np.where(chosen, "star", "circle").tolist(),
                "color": "#0072B2",
            },
            customdata=[[point["recall_head"], point["coverage"]] for point in front],
            hovertemplate="tail_emphasis %{text}: NDCG %{x:.4f}, tail recall %{y:.4f}, "
            "head recall %{customdata[0]:.4f}, coverage %{customdata[1]:.3f}<extra></extra>",
        )
    )
    figure.add_trace(
        go.Scatter(
            x=[quality["ndcg"] for quality in gate["alone"].values()],
            y=[quality["recall_tail"] for quality in gate["alone"].values()],
            mode="markers",
            marker={"size": 9, "symbol": "x", "color": "#777777"},
            text=list(gate["alone"]),
            hovertemplate="%{text} alone: NDCG %{x:.4f}, tail recall %{y:.4f}<extra></extra>",
        )
    )
    note = "Labels: tail_emphasis. Star: chosen. Crosses: single sources."
    figure.add_annotation(
        text=note, xref="paper", yref="paper", x=0, y=1.06, showarrow=False, xanchor="left"
    )
    return figure.update_layout(showlegend=False)
