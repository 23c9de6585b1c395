"""A store of arrays by the hash of what they were computed from."""

from __future__ import annotations

import re
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any, ClassVar, NoReturn

import numpy as np
import safetensors.numpy
from kedro.io import DatasetError
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from longtail.arrays import Arrays, content_digest
from longtail.datasets.local import LocalDataset
from longtail.files import replacing

KEY = re.compile(r"[0-9A-Za-z_-]+")
DIGEST = "digest"


class CheckpointStore(MutableMapping[str, Arrays]):
    """Named arrays by key, each value one safetensors file of a folder.

    A key is a hash of everything that its arrays depend on, so that a key never gets another
    meaning. A value is written to the side and put in place at once; a file that is cut short or
    damaged counts as absent.
    """

    def __init__(self, folder: Path):
        self.folder = folder

    def __getitem__(self, key: str) -> Arrays:
        """Return the arrays of a key; KeyError where they are missing or damaged."""
        arrays = _read(self._path(key))
        if arrays is None:
            raise KeyError(key)
        return arrays

    def __setitem__(self, key: str, arrays: Arrays) -> None:
        """Write the arrays of a key; what was there is replaced in one step."""
        path = self._path(key)
        self.folder.mkdir(parents=True, exist_ok=True)
        rows = {name: np.asarray(array, order="C") for name, array in arrays.items()}
        content = safetensors.numpy.save(rows, metadata={DIGEST: content_digest(rows)})
        with replacing(path) as partial:
            partial.write_bytes(content)

    def __delitem__(self, key: str) -> None:
        """Remove a key; KeyError where it is missing."""
        try:
            self._path(key).unlink()
        except FileNotFoundError as error:
            raise KeyError(key) from error

    def __iter__(self) -> Iterator[str]:
        """Iterate over the keys whose arrays can be read."""
        paths = sorted(self.folder.glob("*.safetensors"))
        return iter([path.stem for path in paths if _read(path) is not None])

    def __len__(self) -> int:
        """Return the number of keys whose arrays can be read."""
        return sum(1 for _ in self)

    def _path(self, key: str) -> Path:
        if not KEY.fullmatch(key):
            raise ValueError(f"A key of checkpoints is letters, digits, - and _, not {key!r}.")
        return self.folder / f"{key}.safetensors"


def _read(path: Path) -> dict[str, NDArray[Any]] | None:
    """Return the arrays of a file, None where it is missing or not what was written."""
    try:
        with safe_open(path, framework="numpy") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            written = (file.metadata() or {}).get(DIGEST)
    except (OSError, SafetensorError):
        return None
    return arrays if content_digest(arrays) == written else None


class CheckpointsDataset(LocalDataset[NoReturn, CheckpointStore]):
    """A folder of arrays by content key; nodes write through the store that they load.

    The key takes the place of the version: arrays computed from other data, parameters or code
    have another key. Only the checkpoints of an unfinished training follow each other under one
    key, which is removed when the training ends.

    Attributes:
        is_cache: what it holds changes how long a node takes, and not what the node makes.
    """

    is_cache: ClassVar[bool] = True

    def load(self) -> CheckpointStore:
        """Return the store; it is empty before the first training."""
        return CheckpointStore(Path(self._filepath))

    def save(self, data: NoReturn) -> None:  # noqa: ARG002 nothing is saved
        """Refuse: checkpoints are written one by one through the loaded store."""
        raise DatasetError(
            f"Checkpoints at {self._filepath} cannot be the output of a node: take them as an"
            " input and write through the store that is loaded."
        )

    def resolve_load_version(self) -> str | None:
        """Return None: every key is its own version."""
        return None

    def _exists(self) -> bool:
        return True
