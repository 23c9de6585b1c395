import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file
from tests.conftest import RunKedro
from tests.recommenders.worlds import histories_of

from longtail.demo.fabricated import write_encoder
from longtail.errors import UserError
from longtail.pipelines.item_encoding.nodes import (
    collect_embeddings,
    describe_items,
    encode_new_texts,
    find_phrases,
    relate_items,
)
from longtail.pipelines.item_encoding.params import ItemEncodingParameters
from longtail.text.adaptation import AdaptationParameters
from longtail.text.encoder import TextEncoder
from longtail.text.encoder_parameters import EncoderParameters

CHINESE = {
    **{"garden": "花园", "rose": "玫瑰", "soil": "土壤", "spade": "铁锹"},
    **{"fern": "蕨类", "lawn": "草坪", "seed": "种子"},
    **{"kitchen": "厨房", "pan": "平锅", "spoon": "汤匙", "oven": "烤箱"},
    **{"whisk": "搅拌", "bowl": "大碗", "plate": "盘子"},
    **{"music": "音乐", "drum": "大鼓", "flute": "长笛", "chord": "和弦"},
    **{"violin": "提琴", "choir": "合唱", "tempo": "节奏"},
    **{"space": "太空", "comet": "彗星", "orbit": "轨道", "rocket": "火箭"},
    **{"lunar": "月球", "nebula": "星云", "probe": "探测"},
    **{"small": "小型", "large": "大型", "new": "新款", "old": "旧款"},
    **{"red": "红色", "blue": "蓝色", "for": "用于"},
}


@pytest.fixture
def multilingual_encoder(tmp_path: Path) -> Path:
    """The tiny encoder with Chinese characters in its vocabulary, each of which is a word piece."""
    write_encoder(tmp_path / "multilingual", sorted({*"".join(CHINESE.values())}))
    return tmp_path / "multilingual"


@pytest.fixture
def chinese_data(
    tmp_path: Path,
    fabricated_data: Path,
    project: Path,  # noqa: ARG001 names its own data first
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """The fabricated data with a catalogue in Chinese, as the data of this project."""
    folder = tmp_path / "chinese"
    folder.mkdir()
    (folder / "interactions.csv").write_bytes((fabricated_data / "interactions.csv").read_bytes())
    items = pd.read_csv(fabricated_data / "items.csv")
    for column in ("title", "description", "categories"):
        items[column] = items[column].replace(CHINESE, regex=True)
    items.to_csv(folder / "items.csv", index=False)
    monkeypatch.setenv("LONGTAIL_TEST_DATA", str(folder))
    return folder


def newest(project: Path, layer: str, name: str) -> Path:
    return max((project / "data/test" / layer / name).glob(f"*/{name}"))


def share_of_neighbours_of_same_taste(vectors: np.ndarray, tastes: pd.Series) -> float:
    """How often the nearest other item has the same category; by chance a quarter."""
    similarity = vectors @ vectors.T
    np.fill_diagonal(similarity, -2)
    return float((tastes.to_numpy()[similarity.argmax(axis=1)] == tastes.to_numpy()).mean())


def test_another_language_takes_one_line(
    project: Path,
    run_kedro: RunKedro,
    multilingual_encoder: Path,
    tiny_encoder: Path,
    chinese_data: Path,
) -> None:
    items = pd.read_csv(chinese_data / "items.csv", dtype=str)
    run_kedro(
        pipelines=["behaviour_cleaning", "item_encoding"],
        params={"item_encoding": {"encoder": {"model": str(multilingual_encoder)}}},
    )
    texts = pd.read_parquet(newest(project, "04_feature", "item_texts.parquet"))
    tastes = texts["item_id"].map(items.set_index("item_id")["categories"])
    assert texts["text"].str.contains("玫瑰").any()
    found = load_file(newest(project, "05_model_input", "language_vectors.safetensors"))["vectors"]
    assert share_of_neighbours_of_same_taste(found, tastes) > 0.9
    english = TextEncoder(EncoderParameters(model=str(tiny_encoder), precision="float32"))
    blind = english.encode(texts["text"].tolist())
    assert share_of_neighbours_of_same_taste(blind, tastes) < 0.5

    understanding = pd.read_parquet(newest(project, "05_model_input", "item_understanding.parquet"))
    assert understanding["item_id"].tolist() == texts["item_id"].tolist()
    assert (understanding["keywords"] != "").all()
    assert (understanding["summary"] == "").all()
    known = pd.read_parquet(newest(project, "04_feature", "phrases.parquet"))["text"]
    assert set(understanding["keywords"].str.split(", ").explode()) <= set(known)

    speed: dict[str, Any] = json.loads(
        newest(project, "08_reporting", "encoding_speed.json").read_text(encoding="utf-8")
    )
    assert speed["model"] == str(multilingual_encoder)
    assert speed["texts"] == texts["key"].nunique()
    assert speed["phrases"] <= len(known)
    assert speed["seconds_per_thousand"] > 0
    assert speed["dimensions"] == 32


def test_known_texts_are_neither_encoded_nor_timed(tiny_encoder: Path) -> None:
    parameters = ItemEncodingParameters(encoder=EncoderParameters(model=str(tiny_encoder)))
    texts = pd.DataFrame({"text": ["red", "blue", "red", ""], "key": ["r", "b", "r", "e"]})
    nothing = pd.DataFrame({"key": pd.Series(dtype=str), "vector": pd.Series(dtype=object)})
    phrases = pd.DataFrame({"text": ["lamp", "blue"], "key": ["l", "b"]})
    encoded, speed = encode_new_texts(texts, phrases, nothing, parameters)
    assert encoded["key"].tolist() == ["r", "b", "l"]
    assert (speed["texts"], speed["phrases"]) == (2, 1)
    encoded, speed = encode_new_texts(texts, phrases, encoded, parameters)
    assert encoded.empty
    assert speed == {}


def test_items_are_described_by_keywords_and_a_line(
    tiny_encoder: Path, tiny_generator: Path
) -> None:
    wanted = {"keywords": 1, "summaries": True, "generator": {"model": str(tiny_generator)}}
    parameters = ItemEncodingParameters.model_validate(
        {"encoder": {"model": str(tiny_encoder)}, "understanding": wanted}
    )
    text = pd.Series(["rose", "oven", ""])
    texts = pd.DataFrame({"item_id": list("abc"), "text": text, "key": text + " key"})
    nothing = pd.DataFrame({"key": pd.Series(dtype=str), "vector": pd.Series(dtype=object)})
    phrases = find_phrases(texts, parameters)
    encoded, _ = encode_new_texts(texts, phrases, nothing, parameters)
    embeddings = collect_embeddings(texts, nothing, encoded)
    described = describe_items(parameters, texts, embeddings, phrases, nothing, encoded, {})
    assert described["keywords"].tolist() == ["rose", "oven", ""]
    assert described["summary"].str.len().gt(0).tolist() == [True, True, False]


def test_without_keywords_no_phrase_is_encoded(tiny_encoder: Path) -> None:
    parameters = ItemEncodingParameters.model_validate(
        {"encoder": {"model": str(tiny_encoder)}, "understanding": {"keywords": 0}}
    )
    assert find_phrases(pd.DataFrame({"text": ["rose", "oven"]}), parameters).empty


def test_relations_that_cannot_be_computed_name_the_parameter() -> None:
    # Every user has the same two items, so that one predicts the other without any error.
    twins = histories_of(np.array([[user, item] for user in range(9) for item in range(2)]), 9, 2)
    encoding = ItemEncodingParameters(adaptation=AdaptationParameters(ridge=1e-12))
    with pytest.raises(
        UserError, match=r"adaptation\.ridge 1e-12: .* Raise it; the default is 100"
    ):
        relate_items(encoding, twins)
