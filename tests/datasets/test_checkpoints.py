import os
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from kedro.io import DatasetError, Version

from longtail.datasets.checkpoints import CheckpointsDataset, CheckpointStore


def store(folder: Path) -> CheckpointStore:
    return CheckpointsDataset(str(folder / "checkpoints"), Version(None, "1")).load()


def test_what_is_written_is_read_by_the_next_load(tmp_path: Path) -> None:
    assert dict(store(tmp_path)) == {}
    values = {
        "weights": np.arange(6, dtype=np.float32).reshape(2, 3).T,
        "epoch": np.array(3),
        "empty": np.empty((0, 2), np.int64),
    }
    store(tmp_path)["abc"] = values
    read = store(tmp_path)["abc"]
    assert list(store(tmp_path)) == ["abc"]
    assert set(read) == set(values)
    for name, value in values.items():
        assert read[name].dtype == value.dtype
        np.testing.assert_array_equal(read[name], value)


def test_a_later_value_replaces_and_a_removed_key_is_gone(tmp_path: Path) -> None:
    checkpoints = store(tmp_path)
    checkpoints["a"] = {"epoch": np.array(1)}
    checkpoints["a"] = {"epoch": np.array(2)}
    assert checkpoints["a"]["epoch"] == 2
    del checkpoints["a"]
    assert "a" not in checkpoints
    with pytest.raises(KeyError):
        del checkpoints["a"]


def test_a_damaged_file_and_one_cut_short_count_as_absent(tmp_path: Path) -> None:
    checkpoints = store(tmp_path)
    for key in ("cut", "damaged", "whole"):
        checkpoints[key] = {"weights": np.arange(1000.0)}
    cut, damaged = (checkpoints.folder / f"{key}.safetensors" for key in ("cut", "damaged"))
    cut.write_bytes(cut.read_bytes()[:-500])
    content = bytearray(damaged.read_bytes())
    content[-1] ^= 1
    damaged.write_bytes(content)
    (checkpoints.folder / "other.partial").write_bytes(b"half a file")
    assert list(checkpoints) == ["whole"]
    assert len(checkpoints) == 1
    assert checkpoints.get("cut") is None
    checkpoints["cut"] = {"weights": np.ones(3)}
    assert "cut" in checkpoints


def write_often(folder: Path, process: int) -> None:
    """Write one key 50 times, from five threads."""

    def write(number: int) -> None:
        store(folder)["shared"] = {"weights": np.full(1000, 1000.0 * process + number)}

    with ThreadPoolExecutor(5) as threads:
        list(threads.map(write, range(50)))


def test_200_simultaneous_writes_of_one_key(tmp_path: Path) -> None:
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as processes:
        list(processes.map(write_often, [tmp_path] * 4, range(4)))

    (weights,) = store(tmp_path)["shared"].values()
    assert len(set(weights)) == 1
    assert [path.name for path in store(tmp_path).folder.iterdir()] == ["shared.safetensors"]


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    folder = store(tmp_path).folder
    folder.mkdir()
    old, new, other = (
        folder / f".{name}.safetensors.1-{number}.partial"
        for name, number in (("a", 1), ("a", 2), ("b", 1))
    )
    for path in (old, new, other):
        path.touch()
    for path in (old, other):
        os.utime(path, (0, 0))

    store(tmp_path)["a"] = {"epoch": np.array(1)}

    assert not old.exists()
    assert new.exists()  # of a process that may still write it
    assert other.exists()


def test_a_key_cannot_leave_the_folder(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="letters, digits"):
        store(tmp_path)["../a"] = {"x": np.ones(1)}


def test_checkpoints_are_no_output_of_a_node(tmp_path: Path) -> None:
    dataset = CheckpointsDataset(str(tmp_path), Version(None, "1"))
    assert dataset.exists()
    assert dataset.resolve_load_version() is None
    with pytest.raises(DatasetError, match="take them as an input"):
        dataset.save({})  # type: ignore[arg-type]
