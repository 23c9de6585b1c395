"""Each private interface of another package is where it was: else its name is in the failure."""

import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from kedro.framework.hooks import specs
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.io import DataCatalog, MemoryDataset, Version
from kedro.pipeline import Node, Pipeline
from kedro_datasets.pandas import ParquetDataset
from pluggy import PluginManager

from longtail import private_interfaces

SOURCE = Path(private_interfaces.__file__).parent
OTHERS = re.compile(r"(?<!self)(?<!cls)(?<!super\(\))\._[a-z]\w*|from \w+[\w.]* import _[a-z]")


@pytest.fixture
def dataset(tmp_path: Path) -> ParquetDataset:
    return ParquetDataset(
        filepath=str(tmp_path / "table.parquet"),
        version=Version(None, "v2"),
        load_args={"columns": ["a"]},
    )


def moved(interface: str) -> str:
    return f"The private interface {interface} has moved: adapt longtail/private_interfaces.py."


def call(interface: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function; a missing attribute or argument is a failure that names the interface."""
    try:
        return function(*arguments)
    except (AttributeError, TypeError) as error:
        pytest.fail(f"{moved(interface)} {error}")


def test_no_other_module_uses_private_names_of_other_packages() -> None:
    found = [
        f"{path.relative_to(SOURCE)}:{number}: {line.strip()}"
        for path in sorted(SOURCE.rglob("*.py"))
        if path.name != "private_interfaces.py"
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if OTHERS.search(line) or re.search(r"(from|import) [\w.]+\._\w+", line)
    ]
    assert found == []


def test_path_and_version_of_a_dataset(tmp_path: Path, dataset: ParquetDataset) -> None:
    path = call("AbstractVersionedDataset._filepath", private_interfaces.file_path, dataset)
    assert path == tmp_path / "table.parquet", moved("AbstractVersionedDataset._filepath")

    saved = tmp_path / "table.parquet/v2/table.parquet"
    name = "AbstractVersionedDataset._get_versioned_path"
    assert call(name, private_interfaces.save_path, dataset) == saved, moved(name)
    dataset.save(pd.DataFrame({"a": [1]}))
    assert call(name, private_interfaces.save_path, dataset) == saved, moved(name)

    name = "AbstractVersionedDataset._get_load_path"
    assert call(name, private_interfaces.load_path, dataset) == saved, moved(name)

    name = "AbstractVersionedDataset._version"
    call(name, private_interfaces.set_load_version, dataset, "v1")
    assert dataset.resolve_load_version() == "v1", moved(name)
    assert dataset.resolve_save_version() == "v2", moved(name)


def test_configuration_of_a_dataset(dataset: ParquetDataset) -> None:
    name = "AbstractDataset._init_config"
    config = call(name, private_interfaces.configuration, dataset)
    assert config["filepath"] == str(dataset._filepath), moved(name)
    assert config["load_args"] == {"columns": ["a"]}, moved(name)


def test_preview_type_of_kedro_viz() -> None:
    name = "kedro_datasets._typing.TablePreview"
    assert call(name, private_interfaces.TablePreview, {"data": []}) == {"data": []}
    assert private_interfaces.TablePreview.__name__ == "TablePreview", moved(name)


def test_catalog_with_versions_and_the_mlflow_configuration(project: Path) -> None:
    bootstrap_project(project)
    with KedroSession.create(project, env="test") as session:
        context = session.load_context()
    name = "KedroContext._get_catalog"
    wanted = {"split": "2026-01-01T00.00.00.000Z"}
    catalog = call(name, private_interfaces.catalog_with_versions, context, wanted)
    assert catalog["split"].resolve_load_version() == wanted["split"], moved(name)

    name = "KedroMlflowConfig.server._mlflow_client"
    client = call(name, private_interfaces.mlflow_client_of, context.mlflow)
    experiment = client.get_experiment_by_name(context.mlflow.tracking.experiment.name)
    name = "KedroMlflowConfig.tracking.experiment._experiment"
    found = call(name, private_interfaces.experiment_id_of, context.mlflow)
    assert found == experiment.experiment_id, moved(name)


class EverySecond(private_interfaces.NodeByNodeRunner):
    """Runs the nodes with an even number."""

    def run_nodes(
        self,
        nodes: list[Node],
        run: Callable[[Node], None],
        catalog: DataCatalog,  # noqa: ARG002
        plugins: list[Any],
    ) -> None:
        assert plugins == ["plugin"]
        for node in nodes[::2]:
            run(node)


def test_runner_decides_node_by_node(caplog: pytest.LogCaptureFixture) -> None:
    ran: list[str] = []
    nodes = [
        Node(lambda name=name: ran.append(name) or name, None, name, name=name) for name in "abc"
    ]
    hooks = PluginManager("kedro")
    for spec in (specs.NodeSpecs, specs.DatasetSpecs, specs.DataCatalogSpecs):
        hooks.add_hookspecs(spec)
    hooks.register("plugin")
    catalog = DataCatalog({name: MemoryDataset() for name in "abc"})
    with caplog.at_level(logging.INFO, "kedro.runner"):
        call("SequentialRunner._run", EverySecond().run, Pipeline(nodes), catalog, hooks)
    assert ran == ["a", "c"], moved("SequentialRunner._run")
