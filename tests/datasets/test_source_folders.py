"""Input tables that are folders of parts, as Spark, Hive and Dask write them."""

import gzip
import os
from pathlib import Path

import pandas as pd
import pytest

from longtail.datasets.source_files import find_source
from longtail.datasets.source_table import SourceTableDataset
from longtail.errors import UserError

KINDS = ["parquet", "csv", "csv.gz"]
FIRST = pd.DataFrame({"item_id": ["1", "2"], "title": ["a", "b"]})
SECOND = pd.DataFrame({"item_id": ["3"], "title": ["c"]})


def write(path: Path, frame: pd.DataFrame) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False)


def source(folder: Path) -> SourceTableDataset:
    return SourceTableDataset(folder=str(folder), stem="items")


def loaded(folder: Path) -> list[dict[str, str]]:
    rows = source(folder).load().to_pandas()
    return rows.sort_values(list(rows.columns)).astype(object).to_dict("records")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["items.{}", "items"])
def test_parts_of_spark_are_one_table(tmp_path: Path, kind: str, name: str) -> None:
    table = tmp_path / "data[1]" / name.format(kind)
    write(table / f"part-00000-4f.{kind}", FIRST)
    write(table / f"part-00001-4f.{kind}", SECOND)
    (table / "_SUCCESS").touch()
    (table / f".part-00000-4f.{kind}.crc").write_bytes(b"crc")
    write(tmp_path / "data1" / name.format(kind) / f"part-00000.{kind}", FIRST)
    expected = pd.concat([FIRST, SECOND]).to_dict("records")
    assert loaded(tmp_path / "data[1]") == expected
    assert source(tmp_path / "data[1]").preview()["columns"] == ["item_id", "title"]


@pytest.mark.parametrize("kind", KINDS)
def test_partitions_are_columns(tmp_path: Path, kind: str) -> None:
    # A folder above the table is no partition of it.
    folder = tmp_path / "run=7"
    table = folder / f"items.{kind}"
    write(table / f"brand=a%2Fb/year=007/part.{kind}", FIRST)
    write(table / f"brand=__HIVE_DEFAULT_PARTITION__/year=008/part.{kind}", SECOND)
    rows = source(folder).load().order_by("item_id").to_pandas().astype(object)
    assert rows.columns.tolist() == ["item_id", "title", "brand", "year"]
    assert rows["item_id"].tolist() == ["1", "2", "3"]
    assert rows["brand"].where(rows["brand"].notna(), None).tolist() == ["a/b", "a/b", None]
    assert rows["year"].tolist() == ["007", "007", "008"]


def test_parts_may_have_columns_in_another_order_or_of_another_type(tmp_path: Path) -> None:
    table = tmp_path / "items.parquet"
    write(table / "a.parquet", pd.DataFrame({"item_id": [1, 2], "title": ["a", "b"]}))
    write(table / "b.parquet", pd.DataFrame({"title": ["c"], "item_id": [3.0], "price": [1.5]}))
    rows = loaded(tmp_path)
    assert [(row["item_id"], row["title"]) for row in rows] == [("1", "a"), ("2", "b"), ("3", "c")]
    assert rows[2]["price"] == "1.5"


def test_the_version_covers_all_parts_and_not_their_names(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("one", "two", "three", "four")]
    for folder, second in zip(folders, ["b=1", "b=1", "b=1", "b=2"], strict=True):
        write(folder / f"items.csv/b=1/{folder.name}.csv", FIRST)
        write(folder / f"items.csv/{second}/{folder.name[::-1]}.csv", SECOND)
    write(folders[2] / "items.csv/b=1/more.csv", SECOND)
    versions = [source(folder).resolve_load_version() for folder in folders]
    assert versions[0] == versions[1]
    assert len(set(versions)) == 3


def test_empty_parts_are_skipped(tmp_path: Path) -> None:
    table = tmp_path / "items.csv"
    write(table / "a.csv", FIRST)
    write(table / "b.csv", FIRST.head(0))
    (table / "c.csv").touch()
    assert loaded(tmp_path) == FIRST.to_dict("records")


def nothing(table: Path) -> None:
    table.mkdir()
    (table / "_SUCCESS").touch()


def other_columns(table: Path) -> None:
    write(table / "a.csv", FIRST)
    write(table / "b.csv", FIRST[["title", "item_id"]])


def damaged_part(table: Path) -> None:
    write(table / "a.csv", FIRST)
    (table / "b.csv").write_text("item_id,title\n1,2,3\n")


def two_kinds(table: Path) -> None:
    write(table / "a.csv", FIRST)
    write(table / "b.parquet", FIRST)


def loose_part(table: Path) -> None:
    write(table / "year=1/a.csv", FIRST)
    write(table / "b.csv", FIRST)


def delta(table: Path) -> None:
    write(table / "a.parquet", FIRST)
    (table / "_delta_log").mkdir()


def unfinished(table: Path) -> None:
    write(table / "_temporary/0/a.csv", FIRST)


def only_empty(table: Path) -> None:
    table.mkdir()
    (table / "a.csv").touch()


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (nothing, "is a folder without CSV or Parquet files"),
        (other_columns, r"b.csv has the columns title, item_id, but .*a.csv has item_id, title"),
        (damaged_part, r"b.csv is not a well-formed CSV file: line 2 has 3 fields"),
        (two_kinds, r"parts of several kinds \(.csv, .parquet\)"),
        (loose_part, r"lies in other partitions \(year\) than .*b.csv \(none\)"),
        (delta, "a table of the format Delta"),
        (unfinished, "Spark has not finished"),
        (only_empty, "All 1 parts of .* are empty"),
    ],
)
def test_a_folder_that_is_no_table_is_explained(tmp_path: Path, make, sentence: str) -> None:
    make(tmp_path / "items.csv")
    with pytest.raises(UserError, match=sentence):
        source(tmp_path).load()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become a user without rights")
@pytest.mark.parametrize("kind", [*KINDS, "folder", "part", "data"])
def test_unreadable_input_is_explained(tmp_path: Path, kind: str) -> None:
    part = tmp_path / "data/items.csv"
    if kind in ("folder", "part"):
        part = part / "part.csv"
    elif kind != "data":
        part = tmp_path / f"data/items.{kind}"
    write(part, FIRST)
    locked = {"folder": part.parent, "data": tmp_path / "data"}.get(kind, part)
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    locked.chmod(0)
    os.seteuid(65534)
    try:
        with pytest.raises(UserError, match=r"read: permission denied.*right to read it"):
            source(tmp_path / "data").load()
        with pytest.raises(UserError, match="cannot be read: permission denied"):
            source(tmp_path / "data").resolve_load_version()
    finally:
        os.seteuid(0)
        locked.chmod(0o755)


def test_a_damaged_page_of_parquet_is_found_before_the_engine_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "items.parquet"
    pd.DataFrame({"item_id": [f"item {n}" for n in range(5000)]}).to_parquet(path)
    content = bytearray(path.read_bytes())
    content[100:2000] = bytes(1900)
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"items.parquet is not a readable Parquet file") as caught:
        source(tmp_path).load()
    assert caught.value.__cause__ is None


def test_a_gzipped_part_is_verified(tmp_path: Path) -> None:
    table = tmp_path / "items.csv.gz"
    table.mkdir()
    (table / "a.csv.gz").write_bytes(gzip.compress(b"item_id\n1\n")[:-4])
    with pytest.raises(UserError, match=r"a.csv.gz is damaged"):
        source(tmp_path).load()


def test_a_single_file_is_its_only_part(tmp_path: Path) -> None:
    write(tmp_path / "items.csv", FIRST)
    found = find_source(tmp_path, "items")
    assert found.parts == (found.path,)
    assert not found.is_folder
    assert found.partition_columns == ()
