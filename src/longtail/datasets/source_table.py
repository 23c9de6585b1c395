"""The two input files, read as text by an Ibis backend and versioned by their content."""

import codecs
import csv
import gzip
import hashlib
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NoReturn, cast

import duckdb
import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.parquet as pq
from kedro.io import DatasetError, Version
from kedro_datasets.ibis import FileDataset

from longtail.behaviour.cleaning.pseudonyms import MIN_KEY_LENGTH, pseudonymise
from longtail.errors import UserError
from longtail.private_interfaces import TablePreview

PROJECT_ROOT = Path(__file__).resolve().parents[3]
SUFFIXES = (".csv.gz", ".csv", ".parquet")
VERSION_LENGTH = 16
_CSV_FIELD_LIMIT = 1 << 27


class SourceError(UserError, DatasetError):
    """An input file that cannot be used; Kedro passes it on without a wrapping of its own."""


class SourceTableDataset(FileDataset):  # type: ignore[misc]  # kedro-datasets has no types
    """A read-only input table ``<folder>/<stem>.csv.gz``, ``.csv`` or ``.parquet``.

    ``load`` returns an Ibis table whose columns are all strings; typing belongs to the cleaning.
    The Kedro version is the first 16 hexadecimal digits of the SHA-256 of the file, so that a run
    says which data it read and ``--load-versions`` refuses other data.

    Loading first checks the whole file in constant memory and raises ``SourceError`` with a
    sentence naming the file when it is missing, empty, not UTF-8 or malformed.

    Args:
        folder: Folder of the file; a relative path starts at the project's root.
        stem: File name without suffix.
        separator: Character between the fields of a CSV file.
        pseudonymise: Column whose ids are replaced by keyed hashes as soon as they are read; the
            key is ``pseudonym_key`` in the credentials.
        connection: Ibis connection as in ``ibis.FileDataset``; DuckDB in memory by default.
        credentials: Additional connection settings that override ``connection``.
        version: Kedro version; ``load`` pins the content of the file.
        metadata: Free content for plugins such as Kedro-Viz.
    """

    def __init__(
        self,
        *,
        folder: str,
        stem: str,
        separator: str = ",",
        pseudonymise: str | None = None,
        connection: dict[str, Any] | None = None,
        credentials: dict[str, Any] | None = None,
        version: Version | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._folder = PROJECT_ROOT / Path(folder).expanduser()
        self._stem = stem
        self._separator = separator
        self._pseudonymise = pseudonymise
        credentials = dict(credentials or {})
        self._pseudonym_key = str(credentials.pop("pseudonym_key", ""))
        self._hashed: tuple[tuple[str, int, int], str] | None = None
        super().__init__(
            filepath=(self._folder / stem).as_posix(),
            connection=connection,
            credentials=credentials,
            version=version,
            metadata=metadata,
        )

    def load(self) -> ir.Table:
        """Check the file and return it as an Ibis table of strings.

        Raises:
            SourceError: When the file cannot be used, or is not the pinned version.
        """
        path = self._find()
        self._check_pinned_version(path)
        if path.suffix == ".parquet":
            _check_parquet(path)
        else:
            _check_csv(path, self._separator)
        return self._read(path)

    def save(self, data: ir.Table) -> NoReturn:  # noqa: ARG002
        """Refuse: the input files are never written."""
        raise DatasetError(f"{self._folder / self._stem} is an input and is never written.")

    def preview(self, nrows: int = 5) -> TablePreview:
        """Return the first rows for Kedro-Viz, as pandas' "split" dictionary."""
        rows = self._read(self._find()).limit(nrows).to_pandas()
        return TablePreview(rows.to_dict(orient="split"))

    def resolve_load_version(self) -> str:
        """Return the hash of the file's content, the version of this dataset."""
        return self._content_hash(self._find())

    def list_versions(self, full_path: bool = True) -> list[str]:
        """Return the only version there is: the file's path, or its hash."""
        path = self._find()
        return [path.as_posix() if full_path else self._content_hash(path)]

    def _find(self) -> Path:
        if not self._folder.is_dir():
            raise SourceError(
                f"The data folder {self._folder} does not exist. Give the folder that holds "
                f"{self._stem}.csv.gz, {self._stem}.csv or {self._stem}.parquet."
            )
        candidates = [self._folder / f"{self._stem}{suffix}" for suffix in SUFFIXES]
        found = [path for path in candidates if path.is_file()]
        if not found:
            raise SourceError(
                f"The data folder {self._folder} holds no {self._stem}.csv.gz, "
                f"{self._stem}.csv or {self._stem}.parquet. Put the file there."
            )
        if len(found) > 1:
            names = " and ".join(path.name for path in found)
            raise SourceError(
                f"The data folder {self._folder} holds {names}. Keep the one to be used."
            )
        return found[0]

    def _content_hash(self, path: Path) -> str:
        stat = path.stat()
        key = (path.as_posix(), stat.st_mtime_ns, stat.st_size)
        if self._hashed is None or self._hashed[0] != key:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            self._hashed = (key, digest[:VERSION_LENGTH])
        return self._hashed[1]

    def _check_pinned_version(self, path: Path) -> None:
        pinned = self._version.load if self._version else None
        found = self._content_hash(path)
        if pinned and pinned != found:
            raise SourceError(
                f"{path} has the content version {found}, but version {pinned} was asked for. "
                "Put the file of that version into the folder, or ask for no version."
            )

    def _read(self, path: Path) -> ir.Table:
        table = self._read_as_it_is(path)
        if self._pseudonymise is None:
            return table
        if len(self._pseudonym_key) < MIN_KEY_LENGTH:
            raise SourceError(
                f"The ids in {path} are to be replaced by pseudonyms, which needs a key of "
                f"{MIN_KEY_LENGTH} characters or more. Give it as pseudonym_key in the credentials."
            )
        if self._pseudonymise not in table.columns:
            raise SourceError(
                f"{path} has no column '{self._pseudonymise}' to replace by pseudonyms; its "
                f"columns are {', '.join(table.columns)}. Name the column with the user ids as "
                "pseudonymise in the catalog."
            )
        return pseudonymise(table, self._pseudonymise, self._pseudonym_key)

    def _read_as_it_is(self, path: Path) -> ir.Table:
        if path.suffix == ".parquet":
            table = self.connection.read_parquet(path.as_posix())
            return table.cast(dict.fromkeys(table.columns, "string"))
        columns = _csv_header(path, self._separator)
        options = _csv_options(self.connection.name, columns, self._separator)
        return self.connection.read_csv(path.as_posix(), **options)

    def _exists(self) -> bool:
        try:
            self._find()
        except SourceError:
            return False
        return True

    def _describe(self) -> dict[str, Any]:
        return {
            "folder": self._folder.as_posix(),
            "stem": self._stem,
            "pseudonymise": self._pseudonymise,
            "backend": self._connection_config["backend"],
            "version": self._version,
        }


def _csv_options(backend: str, columns: list[str], separator: str) -> dict[str, Any]:
    """Return the reading options of a backend that give every column as string."""
    if backend == "pyspark":
        return {
            "header": True,
            "inferSchema": False,
            "sep": separator,
            "escape": '"',
            "multiLine": True,
        }
    return {
        "columns": dict.fromkeys(columns, "string"),
        "auto_detect": False,
        "header": True,
        "delim": separator,
        "quote": '"',
        "escape": '"',
    }


def _open(path: Path) -> BinaryIO:
    return cast("BinaryIO", gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb"))


def _records(path: Path, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Yield line number (of the record's end) and fields of every record of a CSV file."""
    with _open(path) as file:
        lines = codecs.getreader("utf-8-sig")(file)
        csv.field_size_limit(_CSV_FIELD_LIMIT)
        reader = csv.reader(lines, delimiter=separator, strict=True)
        for record in reader:
            yield reader.line_num, record


def _csv_header(path: Path, separator: str) -> list[str]:
    try:
        header = next((fields for _, fields in _records(path, separator)), [])
    except UnicodeDecodeError as error:
        raise _not_utf8(path) from error
    except csv.Error as error:
        raise _malformed(path, 1, f"{error}") from error
    except (OSError, EOFError, zlib.error) as error:
        raise SourceError(f"{path} cannot be read: {error}.") from error
    if not any(name.strip() for name in header):
        raise SourceError(f"{path} is empty. It needs a line with column names and rows below it.")
    repeated = sorted({name for name in header if header.count(name) > 1})
    if repeated:
        raise SourceError(f"{path} names the column '{repeated[0]}' twice. Rename one of them.")
    return header


def _check_csv(path: Path, separator: str) -> None:
    """Parse every field of the file once, whatever backend reads it afterwards."""
    columns = _csv_header(path, separator)
    connection = ibis.duckdb.connect()
    try:
        table = connection.read_csv(
            path.as_posix(), **_csv_options(connection.name, columns, separator)
        )
        fields = {f"field_{i}": table[name].count() for i, name in enumerate(columns)}
        rows = table.aggregate(rows=table.count(), **fields).to_pyarrow()["rows"][0].as_py()
    except duckdb.Error as error:
        raise _diagnosis(path, separator, len(columns), str(error)) from error
    finally:
        connection.disconnect()
    if rows == 0:
        raise _no_rows(path)


def _check_parquet(path: Path) -> None:
    try:
        rows = pq.ParquetFile(path).metadata.num_rows
    except (pa.ArrowException, OSError) as error:
        raise SourceError(f"{path} is not a readable Parquet file: {error}.") from error
    if rows == 0:
        raise _no_rows(path)


def _diagnosis(path: Path, separator: str, width: int, fallback: str) -> SourceError:
    """Read a CSV file that DuckDB refused again, slowly, to say which line is wrong and why."""
    line = 0
    try:
        for line, record in _records(path, separator):
            if record and len(record) != width:
                return _malformed(path, line, f"{len(record)} fields where the header has {width}")
    except UnicodeDecodeError:
        return _not_utf8(path)
    except csv.Error as error:
        return _malformed(path, line + 1, f"{error}")
    except (OSError, EOFError, zlib.error) as error:
        return SourceError(f"{path} cannot be read: {error}.")
    return SourceError(
        f"{path} is not a well-formed CSV file: {fallback.splitlines()[0]} "
        "Lines that end in different ways are one cause."
    )


def _not_utf8(path: Path) -> SourceError:
    with _open(path) as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                return SourceError(
                    f"{path} is not UTF-8 text: line {number} holds the byte "
                    f"0x{line[error.start]:02x}. Save the file with the encoding UTF-8."
                )
    return SourceError(f"{path} is not UTF-8 text. Save the file with the encoding UTF-8.")


def _malformed(path: Path, line: int, fault: str) -> SourceError:
    return SourceError(
        f"{path} is not a well-formed CSV file: line {line} has {fault}. Correct the line, "
        "or put fields with separators, quotes or line breaks between double quotes."
    )


def _no_rows(path: Path) -> SourceError:
    return SourceError(f"{path} has column names but no rows. Add rows, or choose another file.")
