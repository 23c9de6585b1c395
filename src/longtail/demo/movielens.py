"""MovieLens 100K in the two-file layout, extracted from a Python package that contains it.

The data set: F. M. Harper and J. A. Konstan, The MovieLens Datasets: History and Context, ACM TiiS
5(4), 2015. Its licence allows research but no commercial use or redistribution, so it is downloaded
rather than included.
"""

import os
import tempfile
import zipfile
from pathlib import Path

import pandas as pd

from longtail.downloads import check_download, download_package

PACKAGE = "recbole==1.2.1"
SHA256 = "9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407"
FOLDER_IN_WHEEL = "recbole/dataset_example/ml-100k"
FILES = ("interactions.csv", "items.csv")


def prepare(folder: Path) -> bool:
    """Download MovieLens 100K into a folder unless it is there; return whether it was downloaded.

    Raises:
        UserError: if the package cannot be downloaded or has an unexpected checksum.
    """
    if all((folder / name).is_file() for name in FILES):
        return False
    with tempfile.TemporaryDirectory() as scratch:
        wheel = download_package(PACKAGE, Path(scratch), "MovieLens 100K")
        damage = f"The downloaded file {wheel.name} is damaged or was replaced"
        check_download(wheel, SHA256, damage)
        write(folder, read_interactions(wheel), read_items(wheel))
    return True


def read_interactions(wheel: Path) -> pd.DataFrame:
    """Return the ratings as user_id, item_id, event_type, rating, timestamp (unix seconds)."""
    table = _read(wheel, "ml-100k.inter")
    table.insert(2, "event_type", "rating")
    return table


def read_items(wheel: Path) -> pd.DataFrame:
    """Return the films as item_id, title, description, categories, brand, price."""
    table = _read(wheel, "ml-100k.item")
    dated = table["release_year"].str.fullmatch(r"\d{4}")
    title = table["movie_title"].where(
        ~dated, table["movie_title"] + " (" + table["release_year"] + ")"
    )
    return pd.DataFrame(
        {
            "item_id": table["item_id"],
            "title": title,
            "description": "",
            "categories": table["class"].str.replace(" ", ", "),
            "brand": "",
            "price": "",
        }
    )


def _read(wheel: Path, name: str) -> pd.DataFrame:
    """Read a tab-separated file with ``name:type`` headers, all columns as text."""
    with zipfile.ZipFile(wheel) as archive, archive.open(f"{FOLDER_IN_WHEEL}/{name}") as file:
        table = pd.read_csv(file, sep="\t", dtype=str, keep_default_na=False, quoting=3)
    return table.rename(columns=lambda column: column.split(":")[0])


def write(folder: Path, interactions: pd.DataFrame, items: pd.DataFrame) -> None:
    """Write both files, each atomically, so that an interrupted call leaves no partial file."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in zip(FILES, (interactions, items), strict=True):
        unfinished = folder / f".{name}.{os.getpid()}"
        table.to_csv(unfinished, index=False)
        unfinished.replace(folder / name)
