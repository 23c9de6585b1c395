"""Logs which node is running."""

from __future__ import annotations

import logging
from time import perf_counter

from kedro.framework.hooks import hook_impl
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

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
    def after_pipeline_run(self) -> None:
        """Log how long the run took."""
        logger.info("Finished in %.0f s.", perf_counter() - self._started)
