"""Every private interface of Kedro, kedro-mlflow and kedro-datasets that the project uses.

No other module reads a name of theirs that begins with an underscore; the methods that Kedro
documents for the authors of datasets (``_describe``, ``_exists``, ``_get_load_path``, ...) are used
in ``longtail.datasets`` alone. ``tests/test_private_interfaces.py`` fails with the name of the
interface that a new version moves.
"""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from kedro.io import AbstractDataset, AbstractVersionedDataset, CatalogProtocol, DataCatalog
from kedro.io.core import Version
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from kedro.runner import SequentialRunner
from kedro_datasets._typing import TablePreview

if TYPE_CHECKING:
    from kedro.framework.context import KedroContext
    from mlflow.tracking import MlflowClient
    from pluggy import PluginManager

__all__ = [
    "NodeByNodeRunner",
    "TablePreview",
    "VersionedDataset",
    "catalog_with_versions",
    "configuration",
    "experiment_id_of",
    "file_path",
    "load_path",
    "mlflow_client_of",
    "save_path",
    "set_file_path",
    "set_load_version",
]

VersionedDataset = AbstractVersionedDataset[Any, Any]


def file_path(dataset: VersionedDataset) -> Path:
    """Return the path of a dataset as the catalog gives it; its versions lie below."""
    return Path(dataset._filepath)


def load_path(dataset: VersionedDataset) -> Path:
    """Return the file that a dataset loads."""
    return Path(dataset._get_load_path())


def save_path(dataset: VersionedDataset) -> Path:
    """Return where a dataset saves in this run, also where it has saved already."""
    return Path(dataset._get_versioned_path(str(dataset.resolve_save_version())))


def set_file_path(dataset: VersionedDataset, path: Path) -> None:
    """Let a dataset save and load below another path than the catalog gives it."""
    dataset._filepath = PurePosixPath(path)


def set_load_version(dataset: VersionedDataset, version: str) -> None:
    """Fix the version that a dataset loads."""
    former: Version | None = dataset._version
    dataset._version = Version(version, former.save if former else None)
    dataset.release()


def configuration(dataset: AbstractDataset[Any, Any]) -> dict[str, Any]:
    """Return the arguments that a dataset was made with, as the catalog gives them."""
    return dict(dataset._init_config())


def catalog_with_versions(context: KedroContext, versions: Mapping[str, str] | None) -> DataCatalog:
    """Return the catalog of a context whose datasets load the given versions."""
    catalog = context._get_catalog(load_versions=dict(versions) if versions else None)
    assert isinstance(catalog, DataCatalog)
    return catalog


def mlflow_client_of(configuration: Any) -> MlflowClient:
    """Return the client that kedro-mlflow has made from its configuration.

    Args:
        configuration: the ``KedroMlflowConfig``, set up.
    """
    client: MlflowClient = configuration.server._mlflow_client
    return client


def experiment_id_of(configuration: Any) -> str:
    """Return the id of the experiment that kedro-mlflow has found or made.

    Args:
        configuration: the ``KedroMlflowConfig``, set up.
    """
    return str(configuration.tracking.experiment._experiment.experiment_id)


class NodeByNodeRunner(SequentialRunner):
    """A sequential runner that decides node by node whether to run it."""

    @abstractmethod
    def run_nodes(
        self,
        nodes: list[Node],
        run: Callable[[Node], None],
        catalog: DataCatalog,
        plugins: list[Any],
    ) -> None:
        """Call ``run`` with the nodes that have to run, in the given order.

        Args:
            nodes: of the pipeline, in an order in which they can run.
            run: runs one node with all hooks.
            catalog: the datasets of the run.
            plugins: the registered hook objects.
        """

    @property
    def _logger(self) -> logging.Logger:
        """Return Kedro's own logger, which the project silences: each node is a run of its own."""
        return logging.getLogger("kedro.runner")

    def _run(
        self,
        pipeline: Pipeline,
        catalog: CatalogProtocol[Any, Any],
        hook_manager: PluginManager | None = None,
        run_id: str | None = None,
    ) -> None:
        assert hook_manager is not None
        assert isinstance(catalog, DataCatalog)
        run_one = super()._run

        def run(node: Node) -> None:
            run_one(Pipeline([node]), catalog, hook_manager, run_id)

        self.run_nodes(pipeline.nodes, run, catalog, list(hook_manager.get_plugins()))

    def _suggest_resume_scenario(self, *_: Any) -> None:
        """Print nothing: the same command resumes the run."""
