"""Objects of the project that are stored as named arrays."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
from kedro.io import Version
from kedro.io.core import VersionNotFoundError
from kedro.utils import load_obj
from safetensors.numpy import load_file, save_file

from longtail.arrays import Arrays
from longtail.datasets.local import LocalDataset
from longtail.private_interfaces import TablePreview


class Storable(Protocol):
    """What a ``StoredObjectDataset`` can hold."""

    def to_arrays(self) -> Arrays:
        """Return the object as named arrays."""

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Read what ``to_arrays`` returned."""


class StoredObjectDataset(LocalDataset[Storable, Storable]):
    """Save and load one object of a given class as a safetensors file.

    Args:
        filepath: of the file.
        holds: dotted path of the class.
        version: of the file.
        metadata: for Kedro-Viz and MLflow.
    """

    def __init__(
        self,
        filepath: str,
        holds: str,
        version: Version | None = None,
        metadata: dict[str, Any] | None = None,
    ):
        super().__init__(filepath, version, metadata)
        self._holds = holds

    def load(self) -> Storable:
        """Return the object."""
        stored: type[Storable] = load_obj(self._holds)
        return stored.from_arrays(load_file(Path(self._get_load_path())))

    def save(self, data: Storable) -> None:
        """Write the object."""
        path = Path(self._get_save_path())
        path.parent.mkdir(parents=True, exist_ok=True)
        arrays = {name: np.asarray(array, order="C") for name, array in data.to_arrays().items()}
        save_file(arrays, path)

    def preview(self) -> TablePreview:
        """Return names, shapes and types of the arrays, for Kedro-Viz."""
        arrays = load_file(Path(self._get_load_path()))
        rows = [[name, str(list(a.shape)), str(a.dtype)] for name, a in sorted(arrays.items())]
        columns = ["array", "shape", "type"]
        return TablePreview({"index": [*range(len(rows))], "columns": columns, "data": rows})

    def _describe(self) -> dict[str, Any]:
        return {**super()._describe(), "holds": self._holds}

    def _exists(self) -> bool:
        try:
            return Path(self._get_load_path()).is_file()
        except VersionNotFoundError:
            return False
