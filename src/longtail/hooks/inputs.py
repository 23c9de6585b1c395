"""Pins and checks the inputs of a run and records what it saves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from longtail.runs.input_checks import check_data_root
from longtail.runs.recording import RunRecorder
from longtail.runs.records import name_of_data


class InputHooks:
    """Refuses missing and mixed inputs, and keeps the record of the run.

    Attributes:
        recorder: keeps the records; ``OnlyChangedRunner`` reuses nodes through it.
    """

    def __init__(self) -> None:
        self.recorder = RunRecorder(Path())

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Find the records of this environment's runs.

        Raises:
            UserError: If Kedro cannot find versions in the folder of the data.
        """
        settings = context.config_loader["globals"]
        data_root = context.project_path / settings["data_root"]
        check_data_root(data_root)
        self.recorder = RunRecorder(data_root, context.env or "", name_of_data(settings))

    @hook_impl
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog
    ) -> None:
        """Pin and check the versions, and record that the run has started.

        Raises:
            UserError: If an input is missing or damaged, or was made from other data than the other
                inputs.
        """
        self.recorder.start(run_params, pipeline, catalog)

    @hook_impl(trylast=True)
    def before_node_run(self, node: Node) -> None:
        """Start timing the node."""
        self.recorder.meter.start(node)

    @hook_impl(tryfirst=True)
    def after_node_run(self, node: Node, outputs: dict[str, Any]) -> None:
        """Record what a model costs."""
        self.recorder.meter.stop(node, outputs)

    @hook_impl
    def after_dataset_saved(self, node: Node) -> None:
        """Record the node once all of its outputs are saved."""
        self.recorder.dataset_saved(node)

    @hook_impl(tryfirst=True)
    def after_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog
    ) -> None:
        """Record that the run is complete, and the content of what it saved."""
        self.recorder.complete(run_params["run_id"], pipeline, catalog)

    @hook_impl
    def on_pipeline_error(self) -> None:
        """Record that the run failed: later runs ignore what it saved."""
        self.recorder.fail()
