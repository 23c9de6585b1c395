"""What the datasets that lie on the local disk have in common."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any, TypeVar

from kedro.io import AbstractVersionedDataset, Version

Saved = TypeVar("Saved")
Loaded = TypeVar("Loaded")


class LocalDataset(AbstractVersionedDataset[Saved, Loaded]):
    """A versioned file or folder on the local disk, described by its path and version."""

    def __init__(
        self,
        filepath: str,
        version: Version | None = None,
        metadata: dict[str, Any] | None = None,
    ):
        super().__init__(filepath=PurePosixPath(filepath), version=version)
        self.metadata = metadata

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath, "version": self._version}
