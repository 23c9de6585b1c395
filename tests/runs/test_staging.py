"""Datasets appear in one step, whatever their class; sessions have names of their own."""

import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from kedro.framework.hooks import specs
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.io import DataCatalog, DatasetError, Version
from kedro.pipeline import Node, Pipeline
from kedro.runner import SequentialRunner, ThreadRunner
from kedro_datasets.json import JSONDataset
from kedro_datasets.pandas import ParquetDataset
from pluggy import PluginManager
from tests.conftest import RunKedro

from longtail.cli import user_message
from longtail.datasets import SparseMatrixDataset
from longtail.errors import UserError
from longtail.files import create
from longtail.hooks.outputs import OutputHooks
from longtail.runs.records import RunRecord, RunRecords, this_process
from longtail.runs.sessions import LAST, reserve

VERSION = "2026-01-01T00.00.00.000Z"
DATA: dict[str, Any] = {
    "table": pd.DataFrame({"a": range(1000)}),
    "report": {"a": list(range(1000))},
    "matrix": sp.csr_array(np.eye(50)),
}
CLASSES = {"table": ParquetDataset, "report": JSONDataset, "matrix": SparseMatrixDataset}


class Witness:
    """Notes what a reader would see while and after each dataset is saved."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.seen: list[list[str]] = []

    def look(self, *_: object) -> None:
        self.seen.append(visible(self.folder))


def visible(folder: Path) -> list[str]:
    """Return the files that are not in hidden folders."""
    files = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(str(path) for path in files if not str(path).startswith("."))


def catalog_in(folder: Path) -> DataCatalog:
    return DataCatalog(
        {
            name: kind(filepath=str(folder / f"{name}.x"), version=Version(None, VERSION))
            for name, kind in CLASSES.items()
        }
    )


def plugins(*hooks: object) -> PluginManager:
    manager = PluginManager("kedro")
    for spec in (
        "NodeSpecs",
        "PipelineSpecs",
        "DatasetSpecs",
        "DataCatalogSpecs",
        "KedroContextSpecs",
    ):
        manager.add_hookspecs(getattr(specs, spec))
    for hook in hooks:
        manager.register(hook)
    return manager


@pytest.mark.parametrize("runner", [SequentialRunner(), ThreadRunner(max_workers=2)])
def test_a_version_is_seen_when_it_is_whole(tmp_path: Path, runner: SequentialRunner) -> None:
    catalog = catalog_in(tmp_path)
    nodes = [Node(lambda name=name: DATA[name], None, name, name=name) for name in DATA]
    runner.run(Pipeline(nodes), catalog, plugins(OutputHooks()))
    assert visible(tmp_path) == sorted(f"{name}.x/{VERSION}/{name}.x" for name in DATA)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    assert catalog.load("report") == DATA["report"]


@pytest.mark.parametrize("name", DATA)
def test_a_failed_save_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    witness = Witness(tmp_path)
    catalog = catalog_in(tmp_path)
    save = type(catalog[name]).save

    def fail_after_writing(dataset: Any, data: Any) -> None:
        save(dataset, data)
        witness.look()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(catalog[name]), "save", fail_after_writing)
    hooks = plugins(OutputHooks())
    with pytest.raises(OSError, match="No space left"):
        SequentialRunner().run(
            Pipeline([Node(lambda: DATA[name], None, name, name="node")]), catalog, hooks
        )
    hooks.hook.on_pipeline_error(error=None, run_params=None, pipeline=None, catalog=catalog)
    assert witness.seen == [[]]
    assert list(tmp_path.rglob("*.x/*")) == []
    assert list(tmp_path.iterdir()) == []


def test_a_version_is_not_replaced(tmp_path: Path) -> None:
    node = Node(lambda: DATA["report"], None, "report", name="node")
    for expected in (None, "must not exist"):
        catalog = catalog_in(tmp_path)
        if expected is None:
            SequentialRunner().run(Pipeline([node]), catalog, plugins(OutputHooks()))
        else:
            with pytest.raises(DatasetError, match=expected):
                SequentialRunner().run(Pipeline([node]), catalog, plugins(OutputHooks()))


def test_a_message_names_the_place_and_not_the_hidden_folder(tmp_path: Path) -> None:
    catalog = catalog_in(tmp_path)

    def fail(dataset: Any, _: Any) -> None:
        raise DatasetError(
            f"Failed while saving data to dataset {dataset!s}.\n[Errno 28] No space left on device"
        )

    hooks = plugins(OutputHooks())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(JSONDataset, "save", fail)
        with pytest.raises(DatasetError) as caught:
            SequentialRunner().run(
                Pipeline([Node(lambda: {}, None, "report", name="node")]), catalog, hooks
            )
    assert str(user_message(caught.value)).startswith(f"{tmp_path}/report.x could not be saved")


def test_what_a_killed_run_was_saving_is_removed(project: Path, run_kedro: RunKedro) -> None:
    ended = f"{this_process().rpartition(':')[0]}:{2**22 + 1}"
    records = RunRecords(project / "data/test")
    records.write(RunRecord(version=VERSION, status="running", process=ended))
    layer = project / "data/test/03_primary"
    staged = layer / f".{VERSION}.items.parquet.staged/items.parquet/{VERSION}"
    staged.mkdir(parents=True)
    (staged / "items.parquet").write_bytes(b"half")
    run_kedro(pipelines=["behaviour_cleaning"])
    assert [path.name for path in layer.iterdir() if path.name.startswith(".")] == []


def test_a_second_run_of_the_same_version_is_refused(tmp_path: Path) -> None:
    first, second = RunRecords(tmp_path), RunRecords(tmp_path)
    mine = RunRecord(version=VERSION, status="running", process=this_process())
    assert first.create(mine)
    assert first.create(mine)
    assert not second.create(mine.model_copy(update={"process": "elsewhere:1"}))
    assert first.read(VERSION) == mine


def test_one_of_many_creates_a_file_and_nobody_sees_a_part_of_it(tmp_path: Path) -> None:
    text = "x" * 100_000
    with ThreadPoolExecutor(8) as pool:
        created = list(pool.map(lambda _: create(tmp_path / "a.json", text), range(32)))
    assert created.count(True) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    assert (tmp_path / "a.json").read_text() == text


def test_sessions_of_one_millisecond_have_different_names(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        names = list(pool.map(lambda _: reserve(tmp_path, VERSION), range(64)))
    assert len(set(names)) == 64
    assert VERSION in names
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d\.\d\d\.\d\d\.\d{3}Z", name) for name in names)


def test_a_clock_that_was_wrong_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / LAST).write_text("2999-01-01T00.00.00.000Z", encoding="utf-8")
    assert reserve(tmp_path, VERSION) == VERSION


def test_a_damaged_last_name_stops_no_session(tmp_path: Path) -> None:
    (tmp_path / LAST).write_bytes(b"\xff\x00\xfe")
    assert reserve(tmp_path, VERSION) == VERSION
    assert (tmp_path / LAST).read_text() == VERSION


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become a user without rights")
def test_without_the_right_to_write_nothing_is_reserved(tmp_path: Path) -> None:
    os.seteuid(65534)
    try:
        assert reserve(tmp_path, VERSION) == VERSION
    finally:
        os.seteuid(0)


def test_the_names_of_sessions_are_reserved(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bootstrap_project(project)
    (project / "data").mkdir()
    monkeypatch.setattr("kedro.framework.session.session.generate_timestamp", lambda: VERSION)
    names = [KedroSession.create(project, env="test").store["session_id"] for _ in range(3)]
    assert len(set(names)) == 3


@pytest.mark.parametrize("name", ["data[1]", "what?", "a*b"])
def test_a_data_root_that_kedro_takes_for_a_pattern_is_refused(project: Path, name: str) -> None:
    bootstrap_project(project)
    settings = project / "conf/test/globals.yml"
    settings.write_text(
        settings.read_text().replace("data_root: data/test", f"data_root: 'data/{name}'")
    )
    session = KedroSession.create(project, env="test")
    with pytest.raises(UserError, match=re.escape(f"data/{name}") + r".*Rename the folder"):
        session.load_context()
    assert not (project / "data" / name).exists()
