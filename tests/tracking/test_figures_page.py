import plotly.graph_objects as go

from longtail.tracking.figures_page import figures_page


def test_figures_are_one_page_that_needs_no_network() -> None:
    figures = {name: go.Figure(go.Bar(y=[1, 2]), {"title": name}) for name in ("one", "two")}
    page = figures_page("a <run>", figures)

    assert page.count("Plotly.newPlot(") >= 2
    assert "<title>a &lt;run&gt;</title>" in page
    assert "src=" not in page.partition("<body>")[0]
    assert 'src="http' not in page
    # Plotly's script once.
    assert 4e6 < len(page) < 6e6
