import inspect

import ibis
import pandas as pd
from kedro.io import Version

from longtail.datasets.parquet_table import ParquetTableDataset


def test_round_trip_with_version_and_preview(tmp_path):
    version = Version(None, "2026-01-01T00.00.00.000Z")
    dataset = ParquetTableDataset(filepath=str(tmp_path / "t.parquet"), version=version)
    frame = pd.DataFrame({"item_id": ["a", "b", "c"], "weight": [1.0, 2.0, 3.0]})
    dataset.save(ibis.memtable(frame))
    pd.testing.assert_frame_equal(dataset.load().to_pandas(), frame)
    preview = dataset.preview(nrows=2)
    assert preview["data"] == [["a", 1.0], ["b", 2.0]]
    assert inspect.signature(dataset.preview).return_annotation.__name__ == "TablePreview"
