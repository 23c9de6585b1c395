"""The figures of a run as one page that MLflow previews."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING

from plotly.io import to_html

if TYPE_CHECKING:
    import plotly.graph_objects as go

PAGE = "figures.html"
HEIGHT = 480


def figures_page(title: str, figures: Mapping[str, go.Figure]) -> str:
    """Return a self-contained page of figures.

    MLflow shows a page in a frame without access to other artifacts, so the page carries Plotly's
    script; one page for all figures carries it once (5 MB).

    Args:
        title: of the page.
        figures: by name.
    """
    parts = [
        to_html(figure, full_html=False, include_plotlyjs=number == 0, default_height=HEIGHT)
        for number, figure in enumerate(figures.values())
    ]
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"</head><body>{''.join(parts)}</body></html>"
    )
