from pathlib import Path

from kedro.io import Version

from longtail.datasets.html_page import HtmlPageDataset
from longtail.reporting.marks import RUN_VERSION


def test_a_saved_page_names_its_version(tmp_path: Path) -> None:
    path = str(tmp_path / "page.html")
    assert not HtmlPageDataset(path, version=Version(None, None)).exists()

    HtmlPageDataset(path, version=Version(None, "one")).save(f"<p>Run {RUN_VERSION}: ü</p>")
    newest = HtmlPageDataset(path, version=Version(None, None))

    assert newest.exists()
    assert newest.load() == "<p>Run one: ü</p>"
