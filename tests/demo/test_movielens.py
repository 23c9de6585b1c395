import hashlib
import subprocess
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from longtail.demo import movielens
from longtail.errors import UserError

RATINGS = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n196\t1\t3\t881250949\n"
FILMS = (
    "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n"
    "1\tToy Story\t1995\tAnimation Children's Comedy\n"
    '2\tKansas City, "The"\t1996\tFilm-Noir\n'
    "267\tunkonwn\t\tunknown\n"
)


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    path = tmp_path / "recbole-1.2.1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{movielens.FOLDER_IN_WHEEL}/ml-100k.inter", RATINGS)
        archive.writestr(f"{movielens.FOLDER_IN_WHEEL}/ml-100k.item", FILMS)
    return path


@pytest.fixture
def served_wheel(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(movielens, "download_package", lambda *_: wheel)
    return wheel


def test_data_is_written_in_the_two_file_layout(
    served_wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checksum = hashlib.sha256(served_wheel.read_bytes()).hexdigest()
    monkeypatch.setattr(movielens, "SHA256", checksum)
    folder = tmp_path / "data"

    assert movielens.prepare(folder) is True

    items = pd.read_csv(folder / "items.csv", dtype=str, keep_default_na=False)
    assert list(items) == ["item_id", "title", "description", "categories", "brand", "price"]
    assert list(items["title"]) == ["Toy Story (1995)", 'Kansas City, "The" (1996)', "unkonwn"]
    assert list(items["categories"]) == ["Animation, Children's, Comedy", "Film-Noir", "unknown"]
    interactions = pd.read_csv(folder / "interactions.csv", dtype=str)
    assert interactions.iloc[0].to_dict() == {
        "user_id": "196",
        "item_id": "1",
        "event_type": "rating",
        "rating": "3",
        "timestamp": "881250949",
    }
    assert sorted(path.name for path in folder.iterdir()) == ["interactions.csv", "items.csv"]


def test_second_call_downloads_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in movielens.FILES:
        (tmp_path / name).write_text("kept")
    monkeypatch.setattr(movielens, "download_package", lambda *_: pytest.fail("downloaded again"))

    assert movielens.prepare(tmp_path) is False


@pytest.mark.usefixtures("served_wheel")
def test_wrong_checksum_writes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "data"

    with pytest.raises(UserError, match="is damaged or was replaced"):
        movielens.prepare(folder)

    assert not folder.exists()


def test_a_failed_download_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = subprocess.CompletedProcess([], 1, "", "WARNING: retrying\nERROR: No matching one\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)

    with pytest.raises(UserError, match=r"could not be downloaded.*No matching one.*Check"):
        movielens.prepare(tmp_path)
