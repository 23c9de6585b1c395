"""Named arrays: what fitted models are stored as."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

Arrays: TypeAlias = dict[str, NDArray[Any]]


def content_digest(arrays: Mapping[str, NDArray[Any]]) -> str:
    """Return a hash of names, shapes, types and values of arrays; of objects their strings."""
    digest = hashlib.blake2b(digest_size=16)
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {arrays[name].shape}\n".encode())
        if array.dtype == object:
            digest.update(repr(array.ravel().tolist()).encode())
        else:
            digest.update(array.view(np.uint8).data if array.size else b"")
    return digest.hexdigest()


def pack_sparse(name: str, matrix: sp.csr_array) -> Arrays:
    """Return a sparse matrix as three named arrays."""
    return {
        f"{name}.data": matrix.data,
        f"{name}.indices": matrix.indices,
        f"{name}.indptr": matrix.indptr,
    }


def unpack_sparse(name: str, arrays: Arrays) -> sp.csr_array:
    """Return the square sparse matrix that ``pack_sparse`` stored."""
    parts = tuple(arrays[f"{name}.{part}"] for part in ("data", "indices", "indptr"))
    n_rows = len(parts[2]) - 1
    return sp.csr_array(parts, shape=(n_rows, n_rows))
