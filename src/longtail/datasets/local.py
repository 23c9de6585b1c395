"""What the datasets that lie on the local disk have in common."""

from __future__ import annotations

import re
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


def literal_path(path: str, backend: str) -> str:
    """Escape a path so that an engine reads this file only, and no other that matches a pattern.

    Args:
        path: absolute path.
        backend: name of the Ibis backend.
    """
    if backend == "pyspark":
        return re.sub(r"([*?\[\]{}\\])", r"\\\1", path)
    return re.sub(r"([*?\[])", r"[\1]", path)
