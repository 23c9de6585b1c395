"""Parquet tables read and written by an Ibis backend."""

import ibis.expr.types as ir
from kedro_datasets.ibis import FileDataset

from longtail.datasets.local import literal_path
from longtail.private_interfaces import TablePreview


class ParquetTableDataset(FileDataset):  # type: ignore[misc]  # kedro-datasets has no types
    """``ibis.FileDataset`` for Parquet with a preview that reads only the rows it shows.

    Brackets, stars and question marks in a path are part of the name, not patterns.
    """

    def load(self) -> ir.Table:
        """Return the table of the version to load."""
        path = literal_path(str(self._get_load_path()), self.connection.name)
        return self.connection.read_parquet(path, **self._load_args)

    def preview(self, nrows: int = 5) -> TablePreview:
        """Return the first rows for Kedro-Viz, as pandas' "split" dictionary."""
        return TablePreview(self.load().limit(nrows).to_pandas().to_dict(orient="split"))
