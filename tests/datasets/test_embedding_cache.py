from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from kedro.io import Version

from longtail.datasets.embedding_cache import EmbeddingCacheDataset


def dataset(folder: Path, version: str) -> EmbeddingCacheDataset:
    return EmbeddingCacheDataset(str(folder / "cache.parquet"), Version(None, version))


def vectors(**items: list[float]) -> pd.DataFrame:
    arrays = [np.array(vector, dtype=np.float32) for vector in items.values()]
    return pd.DataFrame({"key": list(items), "vector": pd.Series(arrays, dtype=object)})


def test_empty_before_the_first_save(tmp_path: Path) -> None:
    assert dataset(tmp_path, "1").load().empty
    assert dataset(tmp_path, "1").resolve_load_version() is None


def test_every_save_adds_to_what_is_read(tmp_path: Path) -> None:
    dataset(tmp_path, "1").save(vectors(a=[1, 2], b=[3, 4]))
    dataset(tmp_path, "2").save(vectors())
    dataset(tmp_path, "3").save(vectors(c=[5, 6, 7]))
    loaded = dataset(tmp_path, "4").load().set_index("key")["vector"]
    assert {key: vector.tolist() for key, vector in loaded.items()} == {
        "a": [1, 2],
        "b": [3, 4],
        "c": [5, 6, 7],
    }
    assert dataset(tmp_path, "4").resolve_load_version() == "3"


def test_a_save_cut_short_is_not_read(tmp_path: Path) -> None:
    dataset(tmp_path, "1").save(vectors(a=[1, 2]))
    partial = tmp_path / "cache.parquet" / "2" / "cache.partial"
    partial.parent.mkdir()
    partial.write_bytes(b"half a file")
    assert dataset(tmp_path, "3").load()["key"].tolist() == ["a"]


def test_preview_shows_keys_and_dimensions(tmp_path: Path) -> None:
    dataset(tmp_path, "1").save(vectors(a=[1, 2]))
    assert dataset(tmp_path, "2").preview()["data"] == [["a", 2]]


@pytest.mark.parametrize("damage", ["empty", "cut", "flipped"])
def test_a_damaged_version_is_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    dataset(tmp_path, "1").save(vectors(a=[1, 2]))
    dataset(tmp_path, "2").save(vectors(b=[1234.5, 2]))
    path = tmp_path / "cache.parquet/2/cache.parquet"
    content = path.read_bytes()
    number = np.float32(1234.5).tobytes()
    assert content.count(number) >= 1
    damaged = {
        "empty": b"",
        "cut": content[:-10],
        "flipped": content.replace(number, np.float32(1235.5).tobytes()),
    }
    path.write_bytes(damaged[damage])

    assert dataset(tmp_path, "3").load()["key"].tolist() == ["a"]
    (warning,) = caplog.messages
    assert warning.startswith(f"{path} is damaged")
    assert warning.endswith("its texts are encoded again.")
