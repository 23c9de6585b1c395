"""The two input tables, read as text by an Ibis backend and versioned by their content."""

import logging
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NoReturn

import ibis
import ibis.expr.types as ir
import pyarrow as pa
from kedro.io import DatasetError, Version
from kedro_datasets.ibis import FileDataset

from longtail.behaviour.cleaning.columns import EXACT_LIMIT
from longtail.behaviour.cleaning.pseudonyms import MIN_KEY_LENGTH, pseudonymise
from longtail.datasets.local import literal_path
from longtail.datasets.source_checks import (
    check_csv,
    check_parquet,
    csv_header,
    csv_options,
    separator_of,
)
from longtail.datasets.source_files import SourceError, SourceFiles, find_source, unreadable
from longtail.private_interfaces import TablePreview

logger = logging.getLogger(__name__)

PROJECT_ROOT = Path(__file__).resolve().parents[3]
VERSION_LENGTH = 16
LIST_SEPARATOR = "|"
"""Joins the elements of a Parquet list, such as the categories of an item."""
SEPARATOR_NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_PART = "__part__"


class SourceTableDataset(FileDataset):  # type: ignore[misc]  # kedro-datasets has no types
    """A read-only input table ``<folder>/<stem>.csv.gz``, ``.csv`` or ``.parquet``.

    Each may be a file or a folder of parts as Spark writes it; a folder ``<stem>`` may hold parts
    of any of the three kinds. Folders such as ``year=2024/`` are columns of the parts below them.

    ``load`` returns an Ibis table whose columns are all strings; typing belongs to the cleaning.
    The Kedro version is the first 16 hexadecimal digits of the SHA-256 of the content, so that a
    run says which data it read and ``--load-versions`` refuses other data.

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
        columns: Columns of the file by the name of what they hold; where user ids are replaced, no
            other column is read, since it may hold ids as well. None: all are read.
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
        columns: Mapping[str, str | None] | None = None,
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
        self._columns = None if columns is None else set(columns.values())
        credentials = dict(credentials or {})
        self._pseudonym_key = str(credentials.pop("pseudonym_key", ""))
        self._hashed: tuple[tuple[tuple[str, int, int], ...], str] | None = None
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
        source = self._find()
        self._check_key(source.path)
        self._check_pinned_version(source)
        if source.suffix == ".parquet":
            check_parquet(source, self.connection.name)
        else:
            check_csv(source, separator_of(source.parts[0], self._separator))
        logger.info("%s", self.describe())
        return self._read(source)

    def describe(self) -> str:
        """Return one sentence on the file: its kind, parts, encoding and separator.

        Raises:
            SourceError: When the file is missing or has no readable column names.
        """
        source = self._find()
        parts = f", {len(source.parts)} parts" if source.is_folder else ""
        if source.suffix == ".parquet":
            return f"{source.path}: Parquet{parts}."
        separator = separator_of(source.parts[0], self._separator)
        csv_header(source.parts[0], separator)
        kind = "gzipped CSV" if source.suffix == ".csv.gz" else "CSV"
        named = SEPARATOR_NAMES.get(separator, f"'{separator}'")
        return f"{source.path}: {kind}{parts}, UTF-8, fields separated by {named}."

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
        source = self._find()
        return [source.path.as_posix() if full_path else self._content_hash(source)]

    def _find(self) -> SourceFiles:
        return find_source(self._folder, self._stem)

    def _content_hash(self, source: SourceFiles) -> str:
        try:
            state = source.state()
            if self._hashed is None or self._hashed[0] != state:
                self._hashed = (state, source.content_hash()[:VERSION_LENGTH])
        except OSError as error:
            raise unreadable(Path(error.filename or source.path), error) from None
        return self._hashed[1]

    def _check_pinned_version(self, source: SourceFiles) -> None:
        pinned = self._version.load if self._version else None
        found = self._content_hash(source)
        if pinned and pinned != found:
            raise SourceError(
                f"{source.path} has the content version {found}, but version {pinned} was asked "
                "for. Put the data of that version into the folder, or ask for no version."
            )

    def _check_key(self, path: Path) -> None:
        if self._pseudonymise is None or len(self._pseudonym_key.strip()) >= MIN_KEY_LENGTH:
            return
        raise SourceError(
            f"The user ids in {path} are to be replaced by pseudonyms, which needs a secret key of "
            f"{MIN_KEY_LENGTH} characters or more, not counting spaces around it. Set it in the "
            "environment variable LONGTAIL_PSEUDONYM_KEY."
        )

    def _read(self, source: SourceFiles) -> ir.Table:
        table = self._read_as_it_is(source)
        if self._pseudonymise is None:
            return table
        self._check_key(source.path)
        if self._pseudonymise not in table.columns:
            raise SourceError(
                f"{source.path} has no column '{self._pseudonymise}' to replace by pseudonyms; its "
                f"columns are {', '.join(table.columns)}. Set the parameter "
                "behaviour_cleaning.interactions_columns.user_id to the column of the user ids."
            )
        if self._columns is not None:
            read = self._columns | {self._pseudonymise}
            if unread := [name for name in table.columns if name not in read]:
                names = ", ".join(unread)
                logger.info("%s: not read, to keep ids private: %s.", source.path, names)
            table = table[[name for name in table.columns if name in read]]
        return pseudonymise(table, self._pseudonymise, self._pseudonym_key, self._missing_ids)

    def _read_as_it_is(self, source: SourceFiles) -> ir.Table:
        backend = self.connection.name
        options = self._options(source, backend)
        # Spark finds the partitions itself, DuckDB would take the folders above for partitions too.
        parts = (source.path,) if backend == "pyspark" else source.parts
        names: Any = [literal_path(part.as_posix(), backend) for part in parts]
        if source.suffix != ".parquet":
            table = self.connection.read_csv(names, **options)
        elif backend == "pyspark":
            table = self.connection.read_parquet(names[0], **options)
        else:
            table = self.connection.read_parquet(names, **options)
        if _PART in table.columns:
            table = _with_partitions(table, source)
        return _as_texts(table) if source.suffix == ".parquet" else table

    def _options(self, source: SourceFiles, backend: str) -> dict[str, Any]:
        """Return the reading options of a backend for the files of a table."""
        options: dict[str, Any] = {}
        if source.suffix != ".parquet":
            separator = separator_of(source.parts[0], self._separator)
            columns = csv_header(source.parts[0], separator)
            options = csv_options(source.parts[0].suffix, backend, columns, separator)
        if backend == "pyspark" and source.is_folder:
            options["pathGlobFilter"] = f"*{source.suffix}"
            # Spark looks either into all folders or for partitions.
            options["recursiveFileLookup"] = not source.partition_columns
            if source.suffix == ".parquet":
                options["mergeSchema"] = True
        elif backend == "duckdb":
            options["hive_partitioning"] = False
            if source.is_folder and source.suffix == ".parquet":
                options["union_by_name"] = True
            if source.partition_columns:
                options["filename"] = _PART
        return options

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


def _with_partitions(table: ir.Table, source: SourceFiles) -> ir.Table:
    """Replace the name of each row's part by the columns that its folders stand for.

    A column that the parts have themselves stays as it is.
    """
    known = {name.lower() for name in table.columns}
    columns = [name for name in source.partition_columns if name.lower() not in known]
    values = [dict(source.partition(part)) for part in source.parts]
    fields = {name: [value[name] for value in values] for name in columns}
    of_parts = pa.table(
        {_PART: [part.as_posix() for part in source.parts]}
        | {name: pa.array(column, pa.string()) for name, column in fields.items()}
    )
    return table.left_join(ibis.memtable(of_parts), _PART).select(
        *(name for name in table.columns if name != _PART), *columns
    )


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
