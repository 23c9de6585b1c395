"""The runner behind ``kedro run --only-changed``."""

from __future__ import annotations

import logging
from typing import Any

from kedro.framework.hooks.manager import PluginManager
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline
from kedro.runner import SequentialRunner

from longtail.hooks.inputs import InputHooks

logger = logging.getLogger(__name__)


class OnlyChangedRunner(SequentialRunner):
    """Runs a node only where its code, parameters or the content of its inputs have changed.

    What an unchanged node saved in an earlier run becomes part of this run as it is. Whether a node
    is unchanged is asked when its inputs are there: a node that ran again and made the same content
    as before lets what follows be skipped.
    """

    def __str__(self) -> str:
        """Return the name that the tracked run shows."""
        return type(self).__name__

    @property
    def _logger(self) -> logging.Logger:
        """Return Kedro's own logger, which this project keeps quiet: each node is its own run."""
        return logging.getLogger("kedro.runner")

    def _run(
        self,
        pipeline: Pipeline,
        catalog: CatalogProtocol,
        hook_manager: PluginManager | None = None,
        run_id: str | None = None,
    ) -> None:
        assert hook_manager is not None
        plugins: list[Any] = list(hook_manager.get_plugins())
        inputs = next(plugin for plugin in plugins if isinstance(plugin, InputHooks))
        skipped = 0
        for number, node in enumerate(pipeline.nodes, start=1):
            version = inputs.reuse(node, catalog)  # type: ignore[arg-type]
            if version is None:
                super()._run(Pipeline([node]), catalog, hook_manager, run_id)
            else:
                skipped += 1
                logger.info(
                    "[%d/%d] %s skipped, unchanged since %s",
                    number, len(pipeline.nodes), node.name, version,
                )  # fmt: skip
        logger.info("Skipped %d of %d nodes: unchanged.", skipped, len(pipeline.nodes))

    def _suggest_resume_scenario(self, *_: Any) -> None:
        """Say nothing: the same command goes on where this run ended."""
