"""The files of an input table: one file, or a folder of parts as Spark and Hive write them."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn
from urllib.parse import unquote

from kedro.io import DatasetError

from longtail.errors import UserError

SUFFIXES = (".csv.gz", ".csv", ".parquet")
MISSING_PARTITION = "__HIVE_DEFAULT_PARTITION__"
"""The name that Hive and Spark give to a partition without a value."""
TABLE_LOGS = {"_delta_log": "Delta", ".hoodie": "Hudi", "metadata": "Iceberg"}
"""Folders of table formats whose files also hold rows that were deleted or replaced."""
UNFINISHED = "_temporary"
_HIDDEN = ("_", ".")

Partition = tuple[tuple[str, str | None], ...]


class SourceError(UserError, DatasetError):
    """An input file that cannot be used; Kedro passes it on without a wrapping of its own."""


@dataclass(frozen=True)
class SourceFiles:
    """The files of one input table.

    Attributes:
        path: the file, or the folder of parts.
        parts: its files with content, in the order of their names; the file itself if it is one.
        suffix: common to all parts, ".csv.gz", ".csv" or ".parquet".
    """

    path: Path
    parts: tuple[Path, ...]
    suffix: str

    @property
    def is_folder(self) -> bool:
        """Whether the table is a folder of parts."""
        return self.parts != (self.path,)

    @property
    def partition_columns(self) -> tuple[str, ...]:
        """Names of the columns whose values are in the names of folders, as in ``year=2024/``."""
        return tuple(name for name, _ in self.partition(self.parts[0]))

    def partition(self, part: Path) -> Partition:
        """Return the columns and values that the folders of a part stand for."""
        if not self.is_folder:
            return ()
        folders = part.relative_to(self.path).parent.parts
        pairs = (folder.partition("=") for folder in folders if "=" in folder)
        return tuple(
            (unquote(name), None if value == MISSING_PARTITION else unquote(value))
            for name, _, value in pairs
        )

    def state(self) -> tuple[tuple[str, int, int], ...]:
        """Return path, size and time of the last change of every part."""
        states = ((part, part.stat()) for part in self.parts)
        return tuple((str(part), stat.st_size, stat.st_mtime_ns) for part, stat in states)

    def content_hash(self) -> str:
        """Return the SHA-256 of the file, or of the contents and partitions of all parts.

        Spark names the parts anew each time, so their names do not count.
        """
        if not self.is_folder:
            return _sha256(self.path)
        parts = sorted(f"{self.partition(part)!r} {_sha256(part)}" for part in self.parts)
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def find_source(folder: Path, stem: str) -> SourceFiles:
    """Return the files of the table ``stem`` in a folder.

    Raises:
        SourceError: if there is none, if there are several, or if they cannot be read.
    """
    try:
        return _find(folder, stem)
    except OSError as error:
        raise unreadable(Path(error.filename or folder), error) from None


def unreadable(path: Path, error: OSError) -> SourceError:
    """Return the sentence on a file or folder that the operating system refuses to read."""
    if isinstance(error, PermissionError):
        return SourceError(
            f"{path} cannot be read: permission denied. Give the user who runs Longtail the right "
            "to read it."
        )
    return SourceError(f"{path} cannot be read: {error.strerror or error}.")


def _find(folder: Path, stem: str) -> SourceFiles:
    wanted = f"{stem}.csv.gz, {stem}.csv or {stem}.parquet"
    if folder.is_file():
        raise SourceError(f"{folder} is a file. Give the folder that holds {wanted}.")
    if not folder.is_dir():
        raise SourceError(
            f"The data folder {folder} does not exist. Give the folder that holds {wanted}."
        )
    candidates = [folder / f"{stem}{suffix}" for suffix in SUFFIXES]
    found = [path for path in candidates if path.exists()]
    if (folder / stem).is_dir():
        found.append(folder / stem)
    if not found:
        raise SourceError(f"The data folder {folder} holds no {wanted}. Put the file there.")
    if len(found) > 1:
        names = " and ".join(path.name for path in found)
        raise SourceError(f"The data folder {folder} holds {names}. Keep the one to be used.")
    path = found[0]
    return _parts(path) if path.is_dir() else SourceFiles(path, (path,), _suffix(path))


def _parts(path: Path) -> SourceFiles:
    """Return the parts of a folder.

    Raises:
        SourceError: if it has none, or parts that do not belong together.
    """
    files = sorted(_visible_files(path))
    parts = [file for file in files if _suffix(file)]
    filled = tuple(part for part in parts if part.stat().st_size or _suffix(part) == ".parquet")
    if not parts:
        raise SourceError(
            f"{path} is a folder without CSV or Parquet files. Give a file, or a folder of parts "
            "as Spark writes it."
        )
    if not filled:
        raise SourceError(f"All {len(parts)} parts of {path} are empty. Write the table again.")
    suffixes = sorted({_suffix(part) for part in parts})
    if len(suffixes) > 1:
        raise SourceError(
            f"{path} holds parts of several kinds ({', '.join(suffixes)}). Keep those of one kind."
        )
    source = SourceFiles(path, filled, suffixes[0])
    for part in filled:
        names = tuple(name for name, _ in source.partition(part))
        if names != source.partition_columns:
            raise SourceError(
                f"{part} lies in other partitions ({', '.join(names) or 'none'}) than {filled[0]} "
                f"({', '.join(source.partition_columns) or 'none'}). Keep the parts of one table."
            )
    return source


def _visible_files(path: Path) -> Iterator[Path]:
    """Yield the files below a folder that are data and no markers or checksums.

    Raises:
        SourceError: if the folder is a table whose files also hold deleted rows, or unfinished.
        OSError: if a folder cannot be read.
    """
    for root, folders, files in os.walk(path, onerror=_raise):
        if Path(root) == path:
            _check_plain(path, folders)
        folders[:] = [name for name in folders if not name.startswith(_HIDDEN)]
        yield from (Path(root) / name for name in files if not name.startswith(_HIDDEN))


def _check_plain(path: Path, folders: list[str]) -> None:
    for name, kind in TABLE_LOGS.items():
        if name in folders:
            raise SourceError(
                f"{path} is a table of the format {kind}, whose files also hold deleted and "
                "replaced rows. Write its current rows as plain Parquet."
            )
    if UNFINISHED in folders:
        raise SourceError(
            f"{path} holds the folder {UNFINISHED}: Spark has not finished writing it. Write the "
            "table again."
        )


def _raise(error: OSError) -> NoReturn:
    raise error


def _suffix(path: Path) -> str:
    return next((suffix for suffix in SUFFIXES if path.name.endswith(suffix)), "")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
