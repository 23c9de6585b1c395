import gzip
import hashlib
import hmac

import ibis
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from kedro.io import DatasetError, Version

from longtail.datasets.source_table import SourceTableDataset
from longtail.errors import UserError

TEXT = b'item_id,title\n007,"Lamp, oak"\n8,\n'


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "shop"


def source(folder, content=None, name="items.csv", **arguments):
    folder.mkdir(exist_ok=True)
    if content is not None:
        (folder / name).write_bytes(content)
    return SourceTableDataset(folder=str(folder), stem="items", **arguments)


@pytest.mark.parametrize("name", ["items.csv", "items.csv.gz"])
def test_csv_columns_are_strings(folder, name):
    content = gzip.compress(TEXT) if name.endswith("gz") else TEXT
    table = source(folder, content, name).load()
    assert {str(dtype) for dtype in table.schema().values()} == {"string"}
    rows = table.to_pandas()
    assert rows["item_id"].tolist() == ["007", "8"]
    assert rows["title"].iloc[0] == "Lamp, oak"
    assert rows["title"].isna().tolist() == [False, True]


def test_parquet_columns_become_strings(folder):
    folder.mkdir()
    frame = pd.DataFrame({"item_id": [7, 8], "price": [1.5, None]})
    frame.to_parquet(folder / "items.parquet")
    rows = source(folder).load().to_pandas()
    assert rows["item_id"].tolist() == ["7", "8"]
    assert rows["price"].iloc[0] == "1.5"


def test_missing_values_in_parquet_are_missing_and_whole_floats_are_whole_numbers(folder):
    folder.mkdir()
    frame = pd.DataFrame(
        {
            "item_id": [3.0, float("nan"), 4.0],
            "price": [1.5, float("nan"), 2.0],
            "title": ["nan", None, "b"],
            "brand": [2.0**60, 1.0, 2.0],
        }
    )
    # pandas would write NaN as null; other programs do not.
    columns = {
        name: pa.array(frame[name].tolist(), from_pandas=False) for name in ("item_id", "price")
    }
    table = pa.Table.from_pandas(frame, preserve_index=False)
    for name, column in columns.items():
        table = table.set_column(table.schema.get_field_index(name), name, column)
    pq.write_table(table, folder / "items.parquet")
    rows = source(folder).load().to_pandas()
    assert rows["item_id"].dropna().tolist() == ["3", "4"]
    assert rows["price"].dropna().tolist() == ["1.5", "2.0"]
    assert rows["title"].dropna().tolist() == ["nan", "b"]
    assert rows[["item_id", "price", "title"]].isna().iloc[1].all()
    assert rows["brand"].iloc[1] == "1.0"


def test_lists_in_parquet_are_joined(folder):
    folder.mkdir()
    frame = pd.DataFrame({"item_id": ["1", "2"], "categories": [["Toys", "Wood, painted"], None]})
    frame.to_parquet(folder / "items.parquet")
    categories = source(folder).load().to_pandas()["categories"]
    assert categories[0] == "Toys|Wood, painted"
    assert pd.isna(categories[1])


@pytest.mark.parametrize("names", [("item_id", "item_id"), ("item_id", "Item_ID")])
def test_a_column_twice_is_refused_by_name(folder, names):
    folder.mkdir()
    table = pa.Table.from_arrays([pa.array(["1"]), pa.array(["2"])], names=names)
    pq.write_table(table, folder / "items.parquet")
    with pytest.raises(UserError, match="|".join(names)):
        source(folder).load()
    (folder / "items.parquet").unlink()
    with pytest.raises(UserError, match="Rename one of them"):
        source(folder, f"{names[0]},{names[1]}\n1,2\n".encode()).load()


@pytest.mark.parametrize("quote", ["", '"'])
@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_other_separators_are_recognised(folder, separator, quote):
    rows = [["item_id", "title"], ["1", "a,b"]]
    lines = [separator.join(f"{quote}{field}{quote}" for field in row) for row in rows]
    content = "\n".join([*lines, ""]).encode()
    dataset = source(folder, content)
    assert dataset.load().to_pandas().to_dict("list") == {"item_id": ["1"], "title": ["a,b"]}
    assert dataset.preview()["data"] == [["1", "a,b"]]


def test_an_index_without_a_name_is_a_column_like_others(folder):
    frame = pd.DataFrame({"item_id": ["1"], "title": ["a"]})
    table = source(folder, frame.to_csv().encode()).load()
    assert table.columns == ("unnamed_1", "item_id", "title")
    assert table.to_pandas()["item_id"].tolist() == ["1"]


def test_a_file_in_place_of_a_folder(folder):
    source(folder, TEXT)
    with pytest.raises(UserError, match=r"items.csv is a file. Give the folder"):
        SourceTableDataset(folder=str(folder / "items.csv"), stem="items").load()


def test_padded_compression_and_long_lines_are_named(folder):
    with pytest.raises(UserError, match="bytes after its end"):
        source(folder, gzip.compress(TEXT) + bytes(512), "items.csv.gz").load()
    (folder / "items.csv.gz").unlink()
    with pytest.raises(UserError, match="a line of more than 2 MB"):
        source(folder, TEXT + b"9," + b"x" * 3_000_000 + b"\n").load()


ODD_NAMES = ["data[1]", "data*", "data?", "data{1}", "Anna's data", 'a "b" c', "${x}", "k=v", "[1"]


@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "parquet"])
@pytest.mark.parametrize("name", ODD_NAMES)
def test_only_the_named_file_is_read(tmp_path, name, suffix):
    for folder in ("data1", "data2", "datab", name):
        (tmp_path / folder).mkdir()
        path = tmp_path / folder / f"items.{suffix}"
        frame = pd.DataFrame({"item_id": [folder]})
        frame.to_parquet(path) if suffix == "parquet" else frame.to_csv(path, index=False)
    table = SourceTableDataset(folder=str(tmp_path / name), stem="items").load()
    assert table.to_pandas().to_dict("list") == {"item_id": [name]}


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_faulty_file_among_siblings_is_the_one_named(tmp_path, name):
    for folder in ("data1", "data2", name):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "items.csv").write_text("item_id\n1\n")
    (tmp_path / name / "items.csv").write_text("item_id\n1,2\n")
    with pytest.raises(UserError, match="line 2 has 2 fields"):
        SourceTableDataset(folder=str(tmp_path / name), stem="items").load()


def damaged(offset, value):
    content = bytearray(gzip.compress(TEXT * 100))
    content[offset] ^= value
    return bytes(content)


@pytest.mark.parametrize(
    "content",
    [damaged(-8, 1), damaged(-1, 1), damaged(-12, 1), gzip.compress(TEXT)[:-8],
     gzip.compress(TEXT) + b"more"],
    ids=["checksum", "length", "content", "no end", "bytes after the end"],
)  # fmt: skip
def test_damaged_compression_is_refused(folder, content):
    with pytest.raises(UserError, match=r"items.csv.gz is damaged .* Copy or compress"):
        source(folder, content, "items.csv.gz").load()


def test_several_gzip_members_are_one_file(folder):
    content = gzip.compress(TEXT[:10]) + gzip.compress(TEXT[10:])
    assert source(folder, content, "items.csv.gz").load().count().to_pyarrow().as_py() == 2


@pytest.mark.parametrize(
    "content",
    [b"\xef\xbb\xbf" + TEXT, TEXT.replace(b"\n", b"\r\n"), TEXT.rstrip(b"\n")],
    ids=["byte order mark", "CRLF", "no last line break"],
)
def test_variants_of_csv(folder, content):
    assert source(folder, content).load().to_pandas()["item_id"].tolist() == ["007", "8"]


def test_another_separator(folder):
    table = source(folder, b"item_id;title\n1;a,b\n", separator=";").load()
    assert table.to_pandas()["title"].tolist() == ["a,b"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"item_id,title\n", "has column names but no rows"),
        (b"item_id,item_id\n1,2\n", "names the column 'item_id' twice"),
        (b"item_id,title\n1,a\n2,caf\xe9\n", "is not UTF-8 text: line 3 holds the byte 0xe9"),
        (b"item_id,titl\xe9\n1,a\n", "is not UTF-8 text: line 1"),
        (b"\nitem_id,title\n1,a\n", "begins with a blank line"),
        (b"item_id,title\r\r\n1,a\r\r\n", "CR CR LF"),
        ("item_id,title\n1,a\n".encode("utf-16-le"), "seems to be UTF-16"),
        ("item_id,title\n1,a\n".encode("utf-16-be"), "seems to be UTF-16"),
        ("item_id,title\n1,a\n".encode("utf-16"), "is not UTF-8 text"),
        (b"item_id,title\n1,a\n2,b,c\n", "line 3 has 3 fields where the header has 2"),
        (b"item_id,title\n1\n", "line 2 has 1 fields where the header has 2"),
        (b'item_id,title\n1,"open\n', "not a well-formed CSV file: line 2"),
    ],
)
def test_unusable_csv_is_explained(folder, content, sentence):
    with pytest.raises(UserError, match=sentence) as caught:
        source(folder, content).load()
    assert str(folder / "items.csv") in str(caught.value)


def test_broken_compression_and_parquet(folder):
    with pytest.raises(
        UserError, match=r"items.csv.gz is damaged or not gzipped and cannot be read"
    ):
        source(folder, TEXT, "items.csv.gz").load()
    (folder / "items.csv.gz").unlink()
    with pytest.raises(UserError, match=r"items.parquet is not a readable Parquet file"):
        source(folder, TEXT, "items.parquet").load()


def test_missing_folder_and_file(folder):
    dataset = SourceTableDataset(folder=str(folder), stem="items")
    with pytest.raises(UserError, match=r"folder .*shop does not exist"):
        dataset.load()
    assert not dataset.exists()
    with pytest.raises(UserError, match=r"holds no items.csv.gz, items.csv or items.parquet"):
        source(folder).load()


def test_two_candidates_are_one_too_many(folder):
    source(folder, TEXT, "items.csv")
    with pytest.raises(UserError, match=r"holds items.csv.gz and items.csv. Keep the one"):
        source(folder, gzip.compress(TEXT), "items.csv.gz").load()


def test_the_version_is_the_hash_of_the_content(folder):
    expected = hashlib.sha256(TEXT).hexdigest()[:16]
    dataset = source(folder, TEXT, version=Version(None, "2026-01-01T00.00.00.000Z"))
    assert dataset.resolve_load_version() == expected
    assert dataset.list_versions(full_path=False) == [expected]
    assert dataset.list_versions() == [str(folder / "items.csv")]
    source(folder, TEXT, version=Version(expected, None)).load()


def test_a_pinned_version_refuses_other_content(folder):
    with pytest.raises(UserError, match="version 0123456789abcdef was asked for"):
        source(folder, TEXT, version=Version("0123456789abcdef", None)).load()


def test_it_is_never_written(folder):
    dataset = source(folder, TEXT)
    with pytest.raises(DatasetError, match="never written"):
        dataset.save(dataset.load())


def test_preview_shows_the_first_rows(folder):
    preview = source(folder, TEXT).preview(nrows=1)
    assert preview["columns"] == ["item_id", "title"]
    assert preview["data"] == [["007", "Lamp, oak"]]


KEY = "a key that nobody guesses"


def log(folder, key=KEY, column="user_id"):
    content = b"user_id,item_id\nanna,1\nbert,2\nanna,3\n,4\n"
    return source(folder, content, pseudonymise=column, credentials={"pseudonym_key": key})


def test_pseudonyms_are_keyed_hashes_and_the_key_is_never_shown(folder):
    dataset = log(folder)
    users = dataset.load().order_by("item_id").to_pandas()["user_id"]
    expected = hmac.new(KEY.encode(), b"anna", hashlib.sha256).hexdigest()[:32]
    assert users[0] == users[2] == expected
    assert users[1] not in {"bert", expected}
    assert pd.isna(users[3])
    assert "anna" not in str(dataset.preview())
    assert KEY not in f"{dataset!r} {dataset._describe()} {ibis.to_sql(dataset.load())}"
    other = log(folder, key="another key of this length").load().to_pandas()["user_id"]
    assert not set(other.dropna()) & set(users.dropna())


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"key": "short"}, "16 characters or more"),
        ({"key": " " * 20}, "16 characters or more"),
        ({"key": "short" + " " * 20}, "LONGTAIL_PSEUDONYM_KEY"),
        ({"column": "who"}, "no column 'who'"),
    ],
)
def test_pseudonyms_need_a_key_and_a_column(folder, changes, sentence):
    with pytest.raises(UserError, match=sentence):
        log(folder, **changes).load()
