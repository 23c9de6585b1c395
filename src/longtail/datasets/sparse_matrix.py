"""Sparse matrices as compressed npz, without pickle."""

from __future__ import annotations

from pathlib import Path

import scipy.sparse as sp
from kedro.io.core import VersionNotFoundError

from longtail.datasets.local import LocalDataset
from longtail.private_interfaces import TablePreview


class SparseMatrixDataset(LocalDataset[sp.csr_array, sp.csr_array]):
    """Save and load one ``scipy.sparse`` matrix as npz."""

    def load(self) -> sp.csr_array:
        """Return the matrix in compressed-row form."""
        return sp.csr_array(sp.load_npz(Path(self._get_load_path())))

    def save(self, data: sp.csr_array) -> None:
        """Write the matrix."""
        path = Path(self._get_save_path())
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            sp.save_npz(file, data)

    def preview(self) -> TablePreview:
        """Return shape and density, for Kedro-Viz."""
        matrix = self.load()
        rows, columns = matrix.shape
        row = [rows, columns, int(matrix.nnz), matrix.nnz / max(1, rows * columns)]
        return TablePreview(
            {"index": [0], "columns": ["rows", "columns", "entries", "density"], "data": [row]}
        )

    def _exists(self) -> bool:
        try:
            return Path(self._get_load_path()).is_file()
        except VersionNotFoundError:
            return False
