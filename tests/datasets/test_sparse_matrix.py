from pathlib import Path

import scipy.sparse as sp
from kedro.io import Version

from longtail.datasets.sparse_matrix import SparseMatrixDataset


def test_round_trip_versions_and_preview(tmp_path: Path) -> None:
    path = str(tmp_path / "matrix.npz")
    matrix = sp.csr_array([[0.0, 0.5], [0.0, 0.0]])
    assert not SparseMatrixDataset(path, version=Version(None, None)).exists()

    SparseMatrixDataset(path, version=Version(None, "one")).save(matrix)
    newest = SparseMatrixDataset(path, version=Version(None, None))

    assert newest.exists()
    assert newest.resolve_load_version() == "one"
    assert (newest.load() != matrix).nnz == 0
    assert newest.preview()["data"] == [[2, 2, 1, 0.25]]
