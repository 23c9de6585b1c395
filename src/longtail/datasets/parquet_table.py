"""Parquet tables read and written by an Ibis backend."""

from kedro_datasets.ibis import FileDataset

from longtail.private_interfaces import TablePreview


class ParquetTableDataset(FileDataset):  # type: ignore[misc]  # kedro-datasets has no types
    """``ibis.FileDataset`` for Parquet with a preview that reads only the rows it shows."""

    def preview(self, nrows: int = 5) -> TablePreview:
        """Return the first rows for Kedro-Viz, as pandas' "split" dictionary."""
        return TablePreview(self.load().limit(nrows).to_pandas().to_dict(orient="split"))
