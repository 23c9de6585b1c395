from pathlib import Path

import pytest
from kedro.io import DataCatalog, Version
from kedro.pipeline import Node, Pipeline

from longtail.datasets import HtmlPageDataset
from longtail.hooks.progress import ProgressHooks


def test_the_end_of_a_run_names_the_page_that_it_wrote(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    names = ("evaluation_report", "arms_report")
    catalog = DataCatalog(
        {
            name: HtmlPageDataset(str(tmp_path / f"{name}.html"), version=Version(None, "v1"))
            for name in names
        }
    )
    catalog["evaluation_report"].save("page")
    pipeline = Pipeline([Node(lambda x: (x, x), "x", list(names), name="write")])
    hooks = ProgressHooks()
    hooks.before_pipeline_run(pipeline)
    with caplog.at_level("INFO"):
        hooks.after_pipeline_run(pipeline, catalog)
    written = tmp_path / "evaluation_report.html" / "v1" / "evaluation_report.html"
    assert caplog.messages[1:] == [f"Report: {written}"]
