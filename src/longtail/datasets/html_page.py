"""HTML pages that name the run that wrote them."""

from __future__ import annotations

from pathlib import Path

from kedro.io.core import VersionNotFoundError

from longtail.datasets.local import LocalDataset
from longtail.reporting.marks import RUN_VERSION


class HtmlPageDataset(LocalDataset[str, str]):
    """Save and load one HTML page; the version of the run takes the place of its mark."""

    def load(self) -> str:
        """Return the page."""
        return Path(self._get_load_path()).read_text(encoding="utf-8")

    def save(self, data: str) -> None:
        """Write the page with the version of this run."""
        path = Path(self._get_save_path())
        path.parent.mkdir(parents=True, exist_ok=True)
        version = self.resolve_save_version() or ""
        path.write_text(data.replace(RUN_VERSION, version), encoding="utf-8")

    def _exists(self) -> bool:
        try:
            return Path(self._get_load_path()).is_file()
        except VersionNotFoundError:
            return False
