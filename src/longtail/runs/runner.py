"""The runner behind ``kedro run --only-changed``."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from kedro.io import DataCatalog
from kedro.pipeline.node import Node

from longtail.private_interfaces import NodeByNodeRunner
from longtail.runs.recording import RunRecorder

logger = logging.getLogger(__name__)


class OnlyChangedRunner(NodeByNodeRunner):
    """Runs a node only if its code, its parameters or the content of its inputs have changed.

    What an unchanged node saved in an earlier run becomes part of this run as it is. Nodes are
    compared when their inputs exist: if a node runs again and saves the same content as before, the
    nodes after it can be skipped.
    """

    def __str__(self) -> str:
        """Return the name that the tracked run shows."""
        return type(self).__name__

    def run_nodes(
        self,
        nodes: list[Node],
        run: Callable[[Node], None],
        catalog: DataCatalog,
        plugins: list[Any],
    ) -> None:
        """Run the nodes that have changed and reuse the outputs of the others."""
        recorders = (getattr(plugin, "recorder", None) for plugin in plugins)
        recorder = next(found for found in recorders if isinstance(found, RunRecorder))
        skipped = 0
        for number, node in enumerate(nodes, start=1):
            version = recorder.reuse(node, catalog)
            if version is None:
                run(node)
            else:
                skipped += 1
                logger.info(
                    "[%d/%d] %s skipped, unchanged since %s",
                    number, len(nodes), node.name, version,
                )  # fmt: skip
        logger.info("Skipped %d of %d nodes: unchanged.", skipped, len(nodes))
