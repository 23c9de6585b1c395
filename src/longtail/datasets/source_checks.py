"""Checks of the input files before an engine reads them: each fault is one sentence."""

import codecs
import csv
import gzip
import re
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, cast

import duckdb
import ibis
import pyarrow as pa
import pyarrow.parquet as pq

from longtail.datasets.local import literal_path
from longtail.datasets.source_files import SourceError, SourceFiles, unreadable

DEFAULT_SEPARATOR = ","
OTHER_SEPARATORS = (";", "\t", "|")
_CSV_FIELD_LIMIT = 1 << 27
_BLOCK = 1 << 22


def csv_options(suffix: str, backend: str, columns: list[str], separator: str) -> dict[str, Any]:
    """Return the reading options of a backend that give every column as string."""
    if backend == "pyspark":
        quoted = [name.replace("`", "``") for name in columns]
        return {
            "header": True,
            # Spark looks for columns in files whose names match the path as a pattern.
            "schema": ", ".join(f"`{name}` string" for name in quoted),
            "inferSchema": False,
            "sep": separator,
            "escape": '"',
            "multiLine": True,
        }
    return {
        "columns": dict.fromkeys(columns, "string"),
        "auto_detect": False,
        "compression": "gzip" if suffix == ".gz" else "none",
        "hive_partitioning": False,
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


def separator_of(path: Path, separator: str) -> str:
    """Return the separator, or the other one that the line of column names evidently uses."""
    if separator != DEFAULT_SEPARATOR or _n_columns(path, separator) > 1:
        return separator
    return next((other for other in OTHER_SEPARATORS if _n_columns(path, other) > 1), separator)


def _n_columns(path: Path, separator: str) -> int:
    """Return the number of column names, 0 where they cannot be read with this separator."""
    try:
        return len(csv_header(path, separator))
    except SourceError:
        return 0


def csv_header(path: Path, separator: str) -> list[str]:
    """Return the column names of a CSV file.

    Raises:
        SourceError: if there are none, or if they are no names of columns.
    """
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


def check_csv(source: SourceFiles, separator: str) -> None:
    """Parse every field of the files once, whatever backend reads them afterwards.

    Raises:
        SourceError: if a file is not well formed, or if the parts have other columns.
    """
    columns = csv_header(source.parts[0], separator)
    rows = 0
    for part in source.parts:
        names = csv_header(part, separator)
        if names != columns:
            raise SourceError(
                f"{part} has the columns {', '.join(names)}, but {source.parts[0]} has "
                f"{', '.join(columns)}. Write all parts with the same columns in the same order."
            )
        rows += _count_rows(part, columns, separator)
    if rows == 0:
        raise _no_rows(source.path)


def _count_rows(path: Path, columns: list[str], separator: str) -> int:
    """Parse a CSV file and return its number of rows."""
    if path.suffix == ".gz":
        _check_compression(path)
    connection = ibis.duckdb.connect()
    try:
        table = connection.read_csv(
            literal_path(path.as_posix(), connection.name),
            **csv_options(path.suffix, connection.name, columns, separator),
        )
        fields = {f"field_{i}": table[name].count() for i, name in enumerate(columns)}
        return int(table.aggregate(rows=table.count(), **fields).to_pyarrow()["rows"][0].as_py())
    except duckdb.Error as error:
        # Without the cause: DuckDB quotes rows of the file.
        raise _diagnosis(path, separator, len(columns), str(error)) from None
    finally:
        connection.disconnect()


def check_parquet(source: SourceFiles, backend: str) -> None:
    """Read the files once, batch by batch.

    Args:
        source: the files.
        backend: name of the Ibis backend that reads them afterwards.

    Raises:
        SourceError: if a file is damaged, or if Spark cannot join the types of the parts.
    """
    rows = 0
    types: dict[str, tuple[str, Path]] = {}
    for part in source.parts:
        try:
            with pq.ParquetFile(part, page_checksum_verification=True) as file:
                schema = file.schema_arrow
                _check_names(part, schema.names)
                rows += sum(batch.num_rows for batch in file.iter_batches())
        except (pa.ArrowException, OSError) as error:
            if isinstance(error, PermissionError):
                raise unreadable(part, error) from None
            reason = str(error).splitlines()[0].rstrip(".")
            raise SourceError(f"{part} is not a readable Parquet file: {reason}.") from None
        for field in schema if backend == "pyspark" else ():
            found, first = types.setdefault(field.name, (str(field.type), part))
            if found != str(field.type):
                raise SourceError(
                    f"The column '{field.name}' is {found} in {first} and {field.type} in {part}, "
                    "which Spark cannot join. Write all parts with the same types."
                )
    if rows == 0:
        raise _no_rows(source.path)


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
    line = re.search(r"line:? (\d+)", message, re.IGNORECASE)
    place = f" near line {line[1]}" if line else ""
    return SourceError(
        f"{path} is not a well-formed CSV file{place}. Lines that end in different ways are one "
        "cause; write the file again, or as Parquet."
    )


def _unreadable(path: Path, error: Exception) -> SourceError:
    if isinstance(error, gzip.BadGzipFile | EOFError | zlib.error):
        return SourceError(
            f"{path} is damaged or not gzipped and cannot be read: {error}. Copy or compress the "
            "file again."
        )
    assert isinstance(error, OSError)
    return unreadable(path, error)


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
