import ibis
import pytest

from longtail.behaviour.cleaning.decimal_signs import decimal_signs
from longtail.behaviour.cleaning.parsing import parse_number


@pytest.mark.parametrize(
    ("values", "sign"),
    [
        (["4,5", "3", ""], "comma"),
        (["-4,25", " 3,5 "], "comma"),
        (["1,299", "12,5"], "comma"),
        (["1,299", "7"], "unclear"),
        (["4.5", "3"], "point"),
        (["4,5", "3.5"], "point"),
        (["4", "3"], "point"),
        (["$4,5"], "point"),
        ([None, ""], "point"),
    ],
)
def test_the_sign_is_found_from_the_whole_column(values, sign):
    table = ibis.memtable({"price": values}, schema={"price": "string"})
    assert decimal_signs(table, ["price"], "auto") == {"price": sign}
    assert decimal_signs(table, ["price"], "comma") == {"price": "comma"}


def test_numbers_with_decimal_commas_are_read_and_points_in_them_refused():
    values = ["4,5", "-1299,00", "7", "1.299", "1.299,00", "1,2,3", "", "x"]
    table = ibis.memtable({"text": values})
    read = parse_number(table.text, decimal_comma=True).to_pyarrow().to_pylist()
    assert read == [4.5, -1299.0, 7.0, None, None, None, None, None]
