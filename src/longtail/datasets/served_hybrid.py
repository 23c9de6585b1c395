"""The hybrid with everything that lists and reasons need, as one folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kedro.io.core import VersionNotFoundError

from longtail.datasets.local import LocalDataset

if TYPE_CHECKING:
    from longtail.serving.hybrid import ServedHybrid


class ServedHybridDataset(LocalDataset["ServedHybrid", "ServedHybrid"]):
    """Save and load a ``ServedHybrid``: JSON, safetensors and Parquet, and its language models."""

    def load(self) -> ServedHybrid:
        """Return the hybrid."""
        from longtail.serving.storage import load_hybrid  # noqa: PLC0415 imports what fits models

        return load_hybrid(Path(self._get_load_path()))

    def save(self, data: ServedHybrid) -> None:
        """Write the folder."""
        from longtail.serving.storage import save_hybrid  # noqa: PLC0415 imports what fits models

        save_hybrid(data, Path(self._get_save_path()))

    def _exists(self) -> bool:
        try:
            return (Path(self._get_load_path()) / "hybrid.json").is_file()
        except VersionNotFoundError:
            return False
