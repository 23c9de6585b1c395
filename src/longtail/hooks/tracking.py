"""Records every run in MLflow: parameters, versions of the inputs, code, metrics and artifacts.

kedro-mlflow configures the store and opens and closes the runs; ``longtail.tracking`` logs to them.
"""

from __future__ import annotations

import atexit
import logging
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Concatenate, ParamSpec

import mlflow
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from longtail.errors import UserError
from longtail.private_interfaces import experiment_id_of, mlflow_client_of
from longtail.runs.records import RunRecords, name_of_data
from longtail.tracking.descriptions import run_name
from longtail.tracking.experiment_page import set_view
from longtail.tracking.store import opening, patient
from longtail.tracking.tracked_run import TrackedRun, TrackingParameters

# kedro-mlflow's model class, which is not used here, makes MLflow warn on import, past any filter.
with warnings.catch_warnings(record=True):
    from kedro_mlflow.framework.hooks.mlflow_hook import MlflowHook

# Importing it sets INFO, which no logging configuration can take back.
logging.getLogger("kedro_mlflow").setLevel(logging.WARNING)
# It logs the traceback of an error that it raises as well, and which is reported here.
logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
logger = logging.getLogger(__name__)

P = ParamSpec("P")


def tolerate_mlflow_errors(
    method: Callable[Concatenate[TrackingHooks, P], None],
) -> Callable[Concatenate[TrackingHooks, P], None]:
    """Let a run continue when MLflow fails: its results are in the catalog."""

    def tolerant(hooks: TrackingHooks, /, *args: P.args, **kwargs: P.kwargs) -> None:
        try:
            method(hooks, *args, **kwargs)
        except (MlflowException, SQLAlchemyError, OSError) as error:
            logger.warning(
                "MLflow failed (%s): the run continues untracked; its results are saved.",
                (str(error) or type(error).__name__).splitlines()[0],
            )
            hooks.tracked = False

    return tolerant


class TrackingHooks(MlflowHook):  # type: ignore[misc, unused-ignore]
    """kedro-mlflow's run life-cycle with this project's parameters, lineage, metrics and artifacts.

    kedro-mlflow logs a typed parameter as one string, node by node; this class logs each of its
    fields, in one batch before the first node.

    Attributes:
        tracked: false once MLflow has failed in this run.
        opened: whether this run has an MLflow run.
    """

    def __init__(self) -> None:
        super().__init__()
        self.tracked = True
        self.opened = False
        self._is_running = False
        self._data_name = ""
        self._parameters = TrackingParameters()
        self._records = RunRecords(Path())

    @property
    def _tracked_run(self) -> TrackedRun:
        config = self.mlflow_config
        client = patient(mlflow_client_of(config))
        return TrackedRun(client, experiment_id_of(config), self.run_id)

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Configure MLflow and remember which data the run is about."""
        self.end_interrupted()
        self.tracked, self.opened = True, False
        settings = context.config_loader["globals"]
        self._data_name = name_of_data(settings)
        self._records = RunRecords(context.project_path / settings["data_root"])
        self._parameters = TrackingParameters(**context.config_loader["tracking"])
        self._configure(context)

    @tolerate_mlflow_errors
    def _configure(self, context: KedroContext) -> None:
        server = context.config_loader["mlflow"].get("server", {})
        uri = server.get("mlflow_tracking_uri") or os.environ.get("MLFLOW_TRACKING_URI", "")
        with opening(uri):
            super().after_context_created(context)

    @hook_impl
    def after_catalog_created(self) -> None:
        """Do nothing: the catalog holds no MLflow datasets."""

    @hook_impl
    def before_node_run(self) -> None:
        """Do nothing: the parameters of all nodes are logged when the run starts."""

    @hook_impl(trylast=True)
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog
    ) -> None:
        """Open the run and log its parameters, the versions of its inputs and of the code."""
        if self.tracked:
            self._start(run_params, pipeline, catalog)

    @tolerate_mlflow_errors
    def _start(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog) -> None:
        names = run_params["pipeline_names"] or ["all"]
        name = run_name(self._data_name, names, run_params["run_id"], run_params["runtime_params"])
        self.mlflow_config.tracking.run.name = name
        # MLflow's own functions for this have no types.
        os.environ["MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING"] = str(self._parameters.system_metrics)
        with opening(str(self.mlflow_config.server.mlflow_tracking_uri)):
            super().before_pipeline_run(run_params, pipeline, catalog)
        self.opened = self._is_running = True
        # Called before MLflow's own function, which marks a run that is open as finished.
        atexit.register(self.end_interrupted)
        logger.info("MLflow run '%s'", name)
        self._tracked_run.start(self._data_name, run_params, pipeline, catalog)
        primary_k, baseline = (
            catalog[f"params:evaluation.{name}"].load() for name in ("primary_k", "baseline")
        )
        client = patient(mlflow_client_of(self.mlflow_config))
        set_view(client, experiment_id_of(self.mlflow_config), primary_k, baseline)

    @hook_impl(tryfirst=True)
    def after_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog
    ) -> None:
        """Log the metrics and artifacts of what the run saved, and close the run."""
        if self.tracked:
            self._finish(run_params, pipeline, catalog)

    @tolerate_mlflow_errors
    def _finish(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog) -> None:
        # The results are complete; an error in what follows does not make the run one that was cut.
        self._is_running = False
        try:
            self._tracked_run.finish(run_params, pipeline, catalog, self._records, self._parameters)
        finally:
            try:
                # kedro-mlflow ends the run too, but tries only once.
                self._tracked_run.end()
            finally:
                super().after_pipeline_run(run_params, pipeline, catalog)

    @hook_impl
    def on_pipeline_error(
        self, error: Exception, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog
    ) -> None:
        """Mark the run as failed."""
        if self.tracked:
            self._fail(error, run_params, pipeline, catalog)

    @tolerate_mlflow_errors
    def _fail(self, error: Exception, *run: Any) -> None:
        self._is_running = False
        try:
            self._tracked_run.fail(sentence_of(error))
        finally:
            super().on_pipeline_error(error, *run)

    def end_interrupted(self) -> None:
        """Mark a run as killed that has neither finished nor failed, as after Ctrl-C."""
        if not self._is_running:
            return
        self._is_running = False
        self._end_as_killed()

    @tolerate_mlflow_errors
    def _end_as_killed(self) -> None:
        mlflow.end_run("KILLED")


def sentence_of(error: BaseException) -> str:
    """Return the sentence for the user that an error holds or was raised from, else its text."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, UserError):
            return str(cause)
        cause = cause.__cause__ or cause.__context__
    return str(error) or type(error).__name__
