import ibis
import numpy as np
import pandas as pd
import pytest

from longtail.behaviour.cleaning.columns import map_columns, unused_columns
from longtail.datasets import SourceTableDataset
from longtail.errors import UserError


def raw(**columns):
    return ibis.memtable(pd.DataFrame(columns))


def test_columns_are_renamed_and_missing_ones_are_null():
    mapped = map_columns(
        raw(customer=["u"], sku=["a"], extra=["x"]),
        {"user_id": "customer", "item_id": "sku", "rating": "rating"},
        required=["user_id", "item_id"],
        file="interactions",
    ).to_pandas()
    assert list(mapped.columns) == ["user_id", "item_id", "rating"]
    assert mapped.iloc[0].tolist()[:2] == ["u", "a"]
    assert mapped["rating"].isna().all()


@pytest.mark.parametrize("column", ["user_id", "item_id"])
def test_a_missing_required_column_is_named(column):
    columns = {"user_id": ["u"], "item_id": ["a"], "time": ["1"]}
    del columns[column]
    with pytest.raises(UserError, match=f"interactions file has no column '{column}'.*time"):
        map_columns(
            raw(**columns),
            {"user_id": "user_id", "item_id": "item_id"},
            required=["user_id", "item_id"],
            file="interactions",
        )


def test_an_optional_column_that_was_mapped_must_exist():
    with pytest.raises(UserError, match=r"items file has no column 'name'.*items_columns.title"):
        map_columns(
            raw(item_id=["a"]),
            {"item_id": "item_id", "title": "name"},
            required=["item_id"],
            file="items",
        )


def test_spaces_around_ids_are_removed_and_counted(caplog):
    frame = pd.DataFrame(
        {"user_id": [" a", "a\t", "a b", None, " "], "item_id": ["v", "w ", "f", "x", "y"]}
    )
    mapping = {name: name for name in frame}
    raw = ibis.memtable(frame, schema=dict.fromkeys(mapping, "string"))
    with caplog.at_level("WARNING"):
        mapped = map_columns(raw, mapping, required=list(mapping), file="interactions").to_pandas()
    assert mapped["user_id"].fillna("").tolist() == ["a", "a", "a b", "", ""]
    assert mapped["item_id"].tolist() == ["v", "w", "f", "x", "y"]
    assert "spaces around 3 values of user_id in the interactions file" in caplog.text
    assert "spaces around 1 values of item_id" in caplog.text


ROUNDED = ["1.152921504606847e+18", "1e+18", "1.0E18", "9007199254740992.0"]
HARMLESS = ["5e21", "1.5", "12345678901234567890", "1e+15", "3.0", "1.5e+18x", "12.e"]


@pytest.mark.parametrize("file", ["interactions", "items"])
@pytest.mark.parametrize("text", ROUNDED)
def test_ids_that_lost_digits_as_floats_are_refused(file, text):
    with pytest.raises(UserError, match=rf"'sku' of the {file} file .*above 2\^53"):
        map_columns(raw(sku=["a", text]), {"item_id": "sku"}, required=["item_id"], file=file)


def test_other_ids_with_digits_are_ids():
    table = raw(item_id=HARMLESS)
    read = map_columns(table, {"item_id": "item_id"}, required=["item_id"], file="items")
    assert sorted(read.to_pandas()["item_id"]) == sorted(HARMLESS)


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_large_float_ids_of_a_file_are_refused(tmp_path, suffix):
    frame = pd.DataFrame({"item_id": np.array([2**53 + 2, 2**62, 3], dtype="float64")})
    path = tmp_path / f"items.{suffix}"
    frame.to_parquet(path) if suffix == "parquet" else frame.to_csv(path, index=False)
    table = SourceTableDataset(folder=str(tmp_path), stem="items").load()
    with pytest.raises(UserError, match="floating-point numbers"):
        map_columns(table, {"item_id": "item_id"}, required=["item_id"], file="items")


def test_unused_columns_are_found():
    mapping = {"user_id": "user", "item_id": "item_id", "rating": None}
    table = raw(user=["u"], item_id=["a"], rating=["1"], play_count=["3"])
    assert unused_columns(table, mapping) == ["rating", "play_count"]
