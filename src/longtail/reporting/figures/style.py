"""The style shared by all figures; models differ by symbol and dash as well as by colour."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

Rows = Sequence[dict[str, Any]]

# The palette of Okabe and Ito, safe for all kinds of colour vision and in greyscale.
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
AXIS = {"showline": True, "linecolor": "#444444", "ticks": "outside", "automargin": True}


def base_figure(title: str, x_title: str, y_title: str) -> go.Figure:
    """Return an empty figure in the shared style."""
    return go.Figure(
        layout={
            "template": "plotly_white",
            "font": {"family": "Helvetica, Arial, sans-serif", "size": 14, "color": "#222222"},
            "title": {"text": title, "font": {"size": 17}, "x": 0.01, "xanchor": "left"},
            "xaxis": AXIS | {"title": {"text": x_title}},
            "yaxis": AXIS | {"title": {"text": y_title}},
            "legend": {"x": 1.02, "y": 1.0, "xanchor": "left", "yanchor": "top"},
            "margin": {"l": 80, "r": 40, "t": 70, "b": 80},
        }
    )


def select(
    leaderboard: Rows, metric: str, k: int, item_group: str = "all", user_group: str = "all"
) -> pd.DataFrame:
    """Return model, value, ci_low, ci_high and n_users of one metric, one row per model."""
    wanted = {"metric": metric, "k": k, "item_group": item_group, "user_group": user_group}
    rows = [row for row in leaderboard if wanted.items() <= row.items()]
    return pd.DataFrame(rows, columns=["model", "value", "ci_low", "ci_high", "n_users"])


def styles_of(models: pd.Series) -> dict[str, int]:
    """Number the styles of the models, in order of appearance."""
    return {str(model): place for place, model in enumerate(models.unique())}


def marker(style: int) -> dict[str, Any]:
    """Return the marker of a style."""
    return {
        "symbol": _SYMBOLS[style % len(_SYMBOLS)],
        "color": _colour(style),
        "size": 12,
    }


def _colour(style: int) -> str:
    # Shifted in the second round, so that an open symbol and its filled one differ in colour.
    return COLOURS[(style + 3 * (style // len(COLOURS))) % len(COLOURS)]


def line_style(style: int) -> dict[str, Any]:
    """Return line and marker of a style."""
    colour = _colour(style)
    dash = _DASHES[(style + style // len(COLOURS)) % len(_DASHES)]
    return {"line": {"color": colour, "dash": dash, "width": 2.5}, "marker": marker(style)}


def error_bars(rows: pd.DataFrame) -> dict[str, Any]:
    """Return error bars of the intervals; a missing end has no bar."""
    value = rows["value"].astype(float)
    return {
        "type": "data",
        "symmetric": False,
        "array": (rows["ci_high"].astype(float) - value).fillna(0.0).to_list(),
        "arrayminus": (value - rows["ci_low"].astype(float)).fillna(0.0).to_list(),
        "thickness": 1.5,
        "width": 6,
    }


def percent(share: float) -> str:
    """Format a share as a percentage."""
    return f"{100 * share:g} %"
