"""Lists of records in JSON files, with the preview of a table."""

from __future__ import annotations

from itertools import islice
from typing import Any

import pandas as pd
from kedro_datasets.json import JSONDataset

from longtail.private_interfaces import TablePreview


class RecordsDataset(JSONDataset):  # type: ignore[misc]  # kedro-datasets has no types
    """``json.JSONDataset`` for a list of records, which Kedro-Viz shows as a table.

    Kedro-Viz sends the whole content of any other JSON file to the browser.
    """

    def preview(self, nrows: int = 20) -> TablePreview:
        """Return the first records for Kedro-Viz, as pandas' "split" dictionary."""
        records: list[dict[str, Any]] = list(islice(self.load(), nrows))
        frame = pd.DataFrame(records, dtype=object)
        return TablePreview(frame.where(frame.notna(), None).to_dict(orient="split"))
