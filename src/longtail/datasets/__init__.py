"""Versioned datasets that kedro-datasets lacks."""

from longtail.datasets.checkpoints import CheckpointsDataset, CheckpointStore
from longtail.datasets.embedding_cache import EmbeddingCacheDataset
from longtail.datasets.html_page import HtmlPageDataset
from longtail.datasets.parquet_table import ParquetTableDataset
from longtail.datasets.records import RecordsDataset
from longtail.datasets.served_hybrid import ServedHybridDataset
from longtail.datasets.source_table import SourceTableDataset
from longtail.datasets.sparse_matrix import SparseMatrixDataset
from longtail.datasets.stored_object import StoredObjectDataset

__all__ = [
    "CheckpointStore",
    "CheckpointsDataset",
    "EmbeddingCacheDataset",
    "HtmlPageDataset",
    "ParquetTableDataset",
    "RecordsDataset",
    "ServedHybridDataset",
    "SourceTableDataset",
    "SparseMatrixDataset",
    "StoredObjectDataset",
]
