"""Named arrays, the format in which fitted models are stored."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

Arrays: TypeAlias = dict[str, NDArray[Any]]


def content_digest(arrays: Mapping[str, NDArray[Any]]) -> str:
    """Return a hash of the names, shapes, dtypes and values of arrays; objects by their repr."""
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
    """Return a sparse matrix as named arrays."""
    return {
        f"{name}.data": matrix.data,
        f"{name}.indices": matrix.indices,
        f"{name}.indptr": matrix.indptr,
    }


def unpack_sparse(name: str, arrays: Arrays, n_columns: int | None = None) -> sp.csr_array:
    """Return the sparse matrix that ``pack_sparse`` packed.

    Args:
        name: name of the matrix.
        arrays: arrays that contain it.
        n_columns: number of columns; a square matrix by default.
    """
    parts = tuple(arrays[f"{name}.{part}"] for part in ("data", "indices", "indptr"))
    n_rows = len(parts[2]) - 1
    return sp.csr_array(parts, shape=(n_rows, n_rows if n_columns is None else n_columns))


def pack_strings(name: str, strings: NDArray[np.object_]) -> Arrays:
    """Return (n,) strings as UTF-8 bytes and the (n,) offsets of their ends."""
    encoded = [str(string).encode() for string in strings]
    return {
        f"{name}.utf8": np.frombuffer(b"".join(encoded), dtype=np.uint8),
        f"{name}.ends": np.cumsum([len(string) for string in encoded], dtype=np.int64),
    }


def unpack_strings(name: str, arrays: Arrays) -> NDArray[np.object_]:
    """Return the (n,) strings that ``pack_strings`` packed."""
    text, ends = arrays[f"{name}.utf8"].tobytes(), arrays[f"{name}.ends"].tolist()
    starts = [0, *ends][: len(ends)]
    strings = [text[start:end].decode() for start, end in zip(starts, ends, strict=True)]
    return np.array(strings, dtype=object)


def with_prefix(prefix: str, arrays: Arrays) -> Arrays:
    """Return the arrays with ``<prefix>.`` before their names."""
    return {f"{prefix}.{name}": array for name, array in arrays.items()}


def without_prefix(prefix: str, arrays: Arrays) -> Arrays:
    """Return the arrays whose names begin with ``<prefix>.``, without it."""
    start = f"{prefix}."
    return {
        name.removeprefix(start): array for name, array in arrays.items() if name.startswith(start)
    }
