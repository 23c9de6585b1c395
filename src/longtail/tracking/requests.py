"""How much MLflow takes in one request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

BATCH_SIZE = 100

Entry = TypeVar("Entry")


def batches(entries: Sequence[Entry]) -> Iterator[Sequence[Entry]]:
    """Cut a sequence into parts that MLflow takes in one request."""
    return (entries[i : i + BATCH_SIZE] for i in range(0, len(entries), BATCH_SIZE))
