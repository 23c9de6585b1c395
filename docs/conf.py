"""Sphinx builds the documentation with this configuration: ``make docs``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))

project = "Longtail"
extensions = ["myst_parser", "project_tables"]
exclude_patterns = ["_extensions"]
html_theme = "furo"
html_title = "Longtail"
# Anchors of headings as GitHub makes them, so that links work in both places.
myst_heading_anchors = 4
myst_enable_extensions = ["dollarmath"]
html_copy_source = False
