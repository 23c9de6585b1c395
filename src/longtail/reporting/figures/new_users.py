"""Figure of the quality for new users by the length of their history."""

import pandas as pd
import plotly.graph_objects as go

from longtail.reporting.figures.style import Rows, base_figure, error_bars, line_style, styles_of


def folding_in_plot(rows: Rows, k: int, limit: int = 8) -> go.Figure:
    """Draw NDCG for new users by the number of interactions they are folded in with.

    Args:
        rows: {model, n_folded_in, metric, k, item_group, value, ci_low, ci_high}.
        k: list length.
        limit: number of models to draw, the best with the longest histories.
    """
    figure = base_figure(
        f"New users: NDCG@{k} by history length, without refitting",
        "Interactions of the user known to the model",
        f"NDCG@{k}, mean over hidden users (0 to 1)",
    )
    if not rows:
        return figure
    table = pd.DataFrame(rows).query(f"metric == 'ndcg' and k == {k} and item_group == 'all'")
    styles = styles_of(table["model"])
    longest = table[table["n_folded_in"] == table["n_folded_in"].max()]
    for model in longest.nlargest(limit, "value")["model"]:
        curve = table[table["model"] == model].sort_values("n_folded_in")
        figure.add_trace(
            go.Scatter(
                x=curve["n_folded_in"],
                y=curve["value"],
                error_y=error_bars(curve),
                mode="lines+markers",
                name=model,
                hovertemplate="%{y:.4f} after %{x}",
                **line_style(styles[model]),
            )
        )
    return figure.update_yaxes(rangemode="tozero")
