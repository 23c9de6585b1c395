"""The two input files, read as text by an Ibis backend and versioned by their content."""

import codecs
import csv
import gzip
import hashlib
import zlib
from collections.abc import Collection, Iterator, Sequence
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
from longtail.datasets.local import literal_path
from longtail.errors import UserError
from longtail.private_interfaces import TablePreview

PROJECT_ROOT = Path(__file__).resolve().parents[3]
SUFFIXES = (".csv.gz", ".csv", ".parquet")
VERSION_LENGTH = 16
DEFAULT_SEPARATOR = ","
OTHER_SEPARATORS = (";", "\t", "|")
LIST_SEPARATOR = "|"
"""Joins the elements of a Parquet list, such as the categories of an item."""
EXACT_LIMIT = 2.0**53
_CSV_FIELD_LIMIT = 1 << 27
_BLOCK = 1 << 22


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
        separator: Character between the fields of a CSV file; a semicolon, tab or bar is recognised
            where the default would give a single column.
        pseudonymise: Column of the file whose ids are replaced by keyed hashes as soon as they are
            read; the key is ``pseudonym_key`` in the credentials.
        missing_ids: Texts, in lower case, that stand for a missing id and get no pseudonym.
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
        missing_ids: Collection[str] = (),
        connection: dict[str, Any] | None = None,
        credentials: dict[str, Any] | None = None,
        version: Version | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._folder = PROJECT_ROOT / Path(folder).expanduser()
        self._stem = stem
        self._separator = separator
        self._pseudonymise = pseudonymise
        self._missing_ids = tuple(missing_ids)
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
        self._check_key(path)
        self._check_pinned_version(path)
        if path.suffix == ".parquet":
            _check_parquet(path)
        else:
            _check_csv(path, _separator_of(path, self._separator))
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
        if self._folder.is_file():
            raise SourceError(
                f"{self._folder} is a file. Give the folder that holds {self._stem}.csv.gz, "
                f"{self._stem}.csv or {self._stem}.parquet."
            )
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

    def _check_key(self, path: Path) -> None:
        if self._pseudonymise is None or len(self._pseudonym_key.strip()) >= MIN_KEY_LENGTH:
            return
        raise SourceError(
            f"The user ids in {path} are to be replaced by pseudonyms, which needs a secret key of "
            f"{MIN_KEY_LENGTH} characters or more, not counting spaces around it. Set it in the "
            "environment variable LONGTAIL_PSEUDONYM_KEY."
        )

    def _read(self, path: Path) -> ir.Table:
        table = self._read_as_it_is(path)
        if self._pseudonymise is None:
            return table
        self._check_key(path)
        if self._pseudonymise not in table.columns:
            raise SourceError(
                f"{path} has no column '{self._pseudonymise}' to replace by pseudonyms; its "
                f"columns are {', '.join(table.columns)}. Set the parameter "
                "behaviour_cleaning.interactions_columns.user_id to the column of the user ids."
            )
        return pseudonymise(table, self._pseudonymise, self._pseudonym_key, self._missing_ids)

    def _read_as_it_is(self, path: Path) -> ir.Table:
        backend = self.connection.name
        name = literal_path(path.as_posix(), backend)
        if path.suffix == ".parquet":
            return _as_texts(self.connection.read_parquet(name, **_parquet_options(backend)))
        separator = _separator_of(path, self._separator)
        columns = _csv_header(path, separator)
        options = _csv_options(path, backend, columns, separator)
        return self.connection.read_csv(name, **options)

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


def _csv_options(path: Path, backend: str, columns: list[str], separator: str) -> dict[str, Any]:
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
        "compression": "gzip" if path.suffix == ".gz" else "none",
        "hive_partitioning": False,
        "header": True,
        "delim": separator,
        "quote": '"',
        "escape": '"',
    }


def _parquet_options(backend: str) -> dict[str, Any]:
    """Return the reading options of a backend that add no column from the names of folders."""
    return {"hive_partitioning": False} if backend == "duckdb" else {}


def _as_texts(table: ir.Table) -> ir.Table:
    """Cast every column to string: NaN becomes null, whole floats lose ".0", lists are joined.

    A column of whole numbers with a missing value is often stored as floats: 3.0 is the id 3.
    """
    floats = {name: table[name] for name in table.columns if table[name].type().is_floating()}
    numbers = {
        name: ibis.ifelse(column.isnan(), ibis.null(column.type()), column)
        for name, column in floats.items()
    }
    whole: dict[str, Any] = {}
    if numbers:
        fits = {
            name: ((column % 1 == 0) & (column.abs() < EXACT_LIMIT)).fill_null(True).all()
            for name, column in numbers.items()
        }
        whole = table.aggregate(**fits).to_pyarrow().to_pylist()[0]
    texts = {}
    for name in table.columns:
        column = numbers.get(name, table[name])
        if whole.get(name):
            column = column.cast("int64")
        if column.type().is_array():
            texts[name] = column.map(lambda value: value.cast("string")).join(LIST_SEPARATOR)
        else:
            texts[name] = column.cast("string")
    return table.select(**texts)


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


def _separator_of(path: Path, separator: str) -> str:
    """Return the separator, or the other one that the line of column names evidently uses."""
    if separator != DEFAULT_SEPARATOR or _n_columns(path, separator) > 1:
        return separator
    return next((other for other in OTHER_SEPARATORS if _n_columns(path, other) > 1), separator)


def _n_columns(path: Path, separator: str) -> int:
    """Return the number of column names, 0 where they cannot be read with this separator."""
    try:
        return len(_csv_header(path, separator))
    except SourceError:
        return 0


def _csv_header(path: Path, separator: str) -> list[str]:
    try:
        records = (fields for _, fields in _records(path, separator))
        header = next(records, [])
        blank = not any(name.strip() for name in header)
        if blank and any(any(map(str.strip, fields)) for fields in records):
            raise SourceError(
                f"{path} begins with a blank line. Remove it: column names come first."
            )
    except UnicodeDecodeError as error:
        raise _not_utf8(path) from error
    except csv.Error as error:
        raise _malformed(path, 1, f"{error}") from error
    except (OSError, EOFError, zlib.error) as error:
        raise _unreadable(path, error) from error
    if any("\0" in name for name in header):
        raise SourceError(
            f"{path} is not UTF-8 text but seems to be UTF-16: its first line holds zero bytes. "
            "Save the file with the encoding UTF-8."
        )
    if blank:
        raise SourceError(f"{path} is empty. It needs a line with column names and rows below it.")
    # Tables that pandas wrote have an index without a name.
    header = [name if name.strip() else f"unnamed_{n}" for n, name in enumerate(header, start=1)]
    _check_names(path, header)
    return header


def _check_names(path: Path, names: Sequence[str]) -> None:
    """Refuse columns whose names are equal; engines ignore upper and lower case."""
    seen: dict[str, str] = {}
    for name in names:
        twin = seen.get(name.lower())
        if twin == name:
            raise SourceError(f"{path} names the column '{name}' twice. Rename one of them.")
        if twin is not None:
            raise SourceError(
                f"{path} names the columns '{twin}' and '{name}', which differ only in upper and "
                "lower case. Rename one of them."
            )
        seen[name.lower()] = name


def _check_compression(path: Path) -> None:
    """Read a gzipped file to its end, which verifies its checksum and length; DuckDB does not."""
    try:
        with gzip.open(path, "rb") as file:
            while file.read(_BLOCK):
                pass
    except (OSError, EOFError, zlib.error) as error:
        raise _unreadable(path, error) from error


def _check_csv(path: Path, separator: str) -> None:
    """Parse every field of the file once, whatever backend reads it afterwards."""
    if path.suffix == ".gz":
        _check_compression(path)
    columns = _csv_header(path, separator)
    connection = ibis.duckdb.connect()
    try:
        table = connection.read_csv(
            literal_path(path.as_posix(), connection.name),
            **_csv_options(path, connection.name, columns, separator),
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
        with pq.ParquetFile(path) as file:
            rows, names = file.metadata.num_rows, file.schema_arrow.names
    except (pa.ArrowException, OSError) as error:
        raise SourceError(f"{path} is not a readable Parquet file: {error}.") from error
    _check_names(path, names)
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
        return _unreadable(path, error)
    return _fault_of_engine(path, fallback)


def _fault_of_engine(path: Path, message: str) -> SourceError:
    """Explain why DuckDB refuses a file that Python can read."""
    if "maximum line size" in message.lower():
        return SourceError(
            f"{path} has a line of more than 2 MB. Shorten its texts, or write the file as Parquet."
        )
    if "GZIP" in message:
        return SourceError(
            f"{path} has bytes after its end, such as zeros that fill a block. Compress it again."
        )
    with _open(path) as file:
        if b"\r\r\n" in file.read(_BLOCK):
            return SourceError(
                f"{path} ends its lines with CR CR LF, which happens when a file is converted "
                "twice. Save it with the line ends LF or CR LF."
            )
    return SourceError(
        f"{path} is not a well-formed CSV file: {message.splitlines()[0]} "
        "Lines that end in different ways are one cause."
    )


def _unreadable(path: Path, error: Exception) -> SourceError:
    if isinstance(error, gzip.BadGzipFile | EOFError | zlib.error):
        return SourceError(
            f"{path} is damaged or not gzipped and cannot be read: {error}. Copy or compress the "
            "file again."
        )
    return SourceError(f"{path} cannot be read: {error}.")


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
