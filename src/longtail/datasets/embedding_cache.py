"""A cache of embeddings: each version adds vectors, reading gives all of them."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from longtail.datasets.local import LocalDataset
from longtail.files import replacing
from longtail.private_interfaces import TablePreview

logger = logging.getLogger(__name__)


class EmbeddingCacheDataset(LocalDataset[pd.DataFrame, pd.DataFrame]):
    """Keys and vectors in Parquet; every save adds one version, load returns the union of all.

    Saved versions are never changed, so a run that is stopped halfway costs only its own texts.
    The table has the columns ``key`` (string) and ``vector`` (float32 arrays of any length).

    Attributes:
        is_cache: what it holds changes how long a node takes, and not what the node makes.
    """

    is_cache: ClassVar[bool] = True

    def load(self) -> pd.DataFrame:
        """Return the vectors of all versions, or an empty table before the first one.

        A damaged version is left out with a warning: its texts are encoded again.
        """
        parts = [part for path in self._files() if (part := _read(path)) is not None]
        table = pd.concat(parts, ignore_index=True) if parts else _empty()
        return table.drop_duplicates("key", keep="last", ignore_index=True)

    def save(self, data: pd.DataFrame) -> None:
        """Write the given vectors as a new version; an empty table is written too."""
        path = Path(self._get_save_path())
        path.parent.mkdir(parents=True, exist_ok=True)
        vectors = pa.array(list(data["vector"]), type=pa.list_(pa.float32()))
        keys = pa.array(data["key"].astype(str), type=pa.string())
        with replacing(path) as partial:
            table = pa.table({"key": keys, "vector": vectors})
            pq.write_table(table, partial, write_page_checksum=True)

    def preview(self, nrows: int = 5) -> TablePreview:
        """Return the first keys with the size of their vectors, for Kedro-Viz."""
        head = self.load().head(nrows)
        shown = pd.DataFrame({"key": head["key"], "dimensions": head["vector"].map(len)})
        return TablePreview(shown.to_dict(orient="split"))

    def _files(self) -> list[Path]:
        folder = Path(self._filepath)
        return sorted(folder.glob(f"*/{folder.name}"))

    def resolve_load_version(self) -> str | None:
        """Return the newest version; None before the first one, when the cache is just empty."""
        versions = [path.parent.name for path in self._files()]
        return versions[-1] if versions else None

    def _exists(self) -> bool:
        return True


def _empty() -> pd.DataFrame:
    return pd.DataFrame({"key": pd.Series(dtype=str), "vector": pd.Series(dtype=object)})


def _read(path: Path) -> pd.DataFrame | None:
    """Return the vectors of one version, None if the file is damaged."""
    try:
        table = pq.read_table(path, page_checksum_verification=True).combine_chunks()
    except (pa.ArrowException, OSError) as error:
        logger.warning(
            "%s is damaged (%s): its texts are encoded again.", path, str(error).splitlines()[0]
        )
        return None
    if table.num_rows == 0:
        return _empty()
    lists = table.column("vector").chunk(0)
    offsets = lists.offsets.to_numpy()
    values = lists.flatten().to_numpy(zero_copy_only=False)
    vectors = np.split(values, offsets[1:-1] - offsets[0])
    return pd.DataFrame({"key": table.column("key").to_pandas(), "vector": vectors})
