import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from longtail.behaviour.cleaning.texts import clean_text, clean_texts


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("<p>Oak&nbsp;lamp</p><br/>new", "Oak lamp new"),
        ("Salt &amp;amp; pepper &#39;mill&#39;", "Salt & pepper 'mill'"),
        ("&lt;b&gt;Bold&lt;/b&gt;", "Bold"),
        ("<3 hearts, 5 > 3 & more", "<3 hearts, 5 > 3 & more"),
        ("Concert <Live>", "Concert <Live>"),
        ("CafÃ© crÃ¨me", "Café crème"),
        ("Itâ€™s", "It\u2019s"),
        ("CafÃ© in Köln", "Café in Köln"),
        ("São Paulo, Ärger", "São Paulo, Ärger"),
        ("zero\u200bwidth\x00 and\tmore \n lines", "zerowidth and more lines"),
        ("", ""),
    ],
)
def test_texts_are_cleaned(text, cleaned):
    assert clean_text(text) == cleaned
    assert clean_texts(pd.Series([text], dtype="str")).tolist() == [cleaned]


@given(st.lists(st.sampled_from(["&amp;", "lt;", "<b>", "</", "Ã©", "\x07", "  ", "a", "&"])))
def test_cleaning_clean_texts_changes_nothing(parts):
    once = clean_texts(pd.Series(["".join(parts)], dtype="str"))
    pd.testing.assert_series_equal(clean_texts(once), once)
