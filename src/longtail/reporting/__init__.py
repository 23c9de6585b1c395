"""Reports: Plotly figures, terminal tables and the evaluation page."""
