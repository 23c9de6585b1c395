"""Parquet tables read and written by an Ibis backend."""

from kedro_datasets._typing import TablePreview
from kedro_datasets.ibis import FileDataset


class ParquetTableDataset(FileDataset):
    """``ibis.FileDataset`` for Parquet with a preview that reads only the rows it shows."""

    def preview(self, nrows: int = 5) -> TablePreview:
        """Return the first rows for Kedro-Viz, as pandas' "split" dictionary."""
        return TablePreview(self.load().limit(nrows).to_pandas().to_dict(orient="split"))
