"""Logs which node is running, and where the report is."""

from __future__ import annotations

import logging
from time import perf_counter
from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from longtail.private_interfaces import save_path

REPORT = "_report"
PAGE = ".html"
logger = logging.getLogger(__name__)


class ProgressHooks:
    """Logs one line for each node and one at the end of the run."""

    def __init__(self) -> None:
        self._positions: dict[str, int] = {}
        self._started = 0.0

    @hook_impl
    def before_pipeline_run(self, pipeline: Pipeline) -> None:
        """Remember the order of the nodes and the time."""
        self._positions = {node.name: i for i, node in enumerate(pipeline.nodes, start=1)}
        self._started = perf_counter()

    @hook_impl
    def before_node_run(self, node: Node) -> None:
        """Log the node's name and its place in the run."""
        position = self._positions.get(node.name, 0)
        logger.info("[%d/%d] %s", position, len(self._positions), node.name)

    @hook_impl(trylast=True)
    def after_pipeline_run(self, pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Log how long the run took, and the path of each page that it wrote."""
        logger.info("Finished in %.0f s.", perf_counter() - self._started)
        for name in sorted(pipeline.outputs()):
            if name.endswith(REPORT):
                dataset: Any = catalog[name]
                path = save_path(dataset)
                if path.suffix == PAGE and path.exists():
                    logger.info("Report: %s", path)
