"""Records every run in MLflow: parameters, versions of the inputs, code, metrics and artifacts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline

if TYPE_CHECKING:
    from longtail.tracking.session import TrackedSession


class TrackingHooks:
    """Passes the events of a run on to MLflow, which is imported with the first session.

    It takes seconds to import, and most commands do without it.

    Attributes:
        opened: whether the newest run has an MLflow run.
    """

    def __init__(self) -> None:
        self.opened = False
        self._session: TrackedSession | None = None

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Configure MLflow."""
        from longtail.tracking.session import TrackedSession  # noqa: PLC0415 heavy import

        self._session = self._session or TrackedSession()
        self.opened = False
        self._session.configure(context)

    @hook_impl(trylast=True)
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog
    ) -> None:
        """Open the run and log its parameters, the versions of its inputs and of the code."""
        if self._session is not None:
            self.opened = self._session.start(run_params, pipeline, catalog)

    @hook_impl(tryfirst=True)
    def after_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog
    ) -> None:
        """Log the metrics and artifacts of what the run saved, and close the run."""
        if self._session is not None:
            self._session.finish(run_params, pipeline, catalog)

    @hook_impl
    def on_pipeline_error(
        self, error: Exception, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog
    ) -> None:
        """Mark the run as failed."""
        if self._session is not None:
            self._session.fail(error, run_params, pipeline, catalog)
