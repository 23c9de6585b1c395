"""Saves every dataset in one step."""

from __future__ import annotations

from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog

from longtail.runs.staging import Staging
from longtail.runs.versions import follows_newest


class OutputHooks:
    """Lets readers see no version of a dataset or a whole one, also after a crash."""

    def __init__(self) -> None:
        self._catalog = DataCatalog()
        self._staging = Staging()

    @hook_impl(tryfirst=True)
    def before_node_run(self, catalog: DataCatalog) -> None:
        """Remember the catalog of the run; worker processes learn of it here only."""
        self._catalog = catalog

    @hook_impl(trylast=True)
    def before_dataset_saved(self, dataset_name: str) -> None:
        """Let the dataset save beside its place."""
        dataset = self._catalog.get(dataset_name)
        if follows_newest(dataset):
            self._staging.begin(dataset_name, dataset)

    @hook_impl(tryfirst=True)
    def after_dataset_saved(self, dataset_name: str) -> None:
        """Put it in place, before the run records it."""
        dataset = self._catalog.get(dataset_name)
        if follows_newest(dataset):
            self._staging.finish(dataset_name, dataset)

    @hook_impl
    def on_pipeline_error(self) -> None:
        """Remove what was being saved."""
        datasets = ((name, self._catalog.get(name)) for name in self._catalog)
        self._staging.give_up(
            (name, dataset) for name, dataset in datasets if follows_newest(dataset)
        )
