"""Catalogues with no or poor text: the run ends well, and text carries no evidence."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from longtail.behaviour.cleaning.items import ITEM_COLUMNS
from longtail.behaviour.histories import build_histories
from longtail.pipelines.item_encoding import nodes
from longtail.pipelines.item_encoding.params import ItemEncodingParameters
from longtail.tuning.search import TuningParameters

SHAPES = {
    "only ids": lambda items: items[["item_id"]],
    "stop words": lambda items: plain(items, "the of and"),
    "same text": lambda items: plain(items, "red ball"),
    "one word": lambda items: plain(items, "ball"),
    "emoji": lambda items: plain(items, "🎈🎈"),
    "single letters": lambda items: plain(items, [chr(97 + n % 26) for n in range(len(items))]),
    "digits": lambda items: plain(items, [str(n) for n in range(len(items))]),
    "punctuation": lambda items: plain(items, "--- !?"),
    "one item": lambda items: plain(items, ["wooden train"] + [""] * (len(items) - 1)),
    "two items": lambda items: plain(items, ["wooden train", "red ball"] + [""] * (len(items) - 2)),
    "only brand": lambda items: items[["item_id"]].assign(brand="acme"),
}

VARIED = {"single letters", "digits", "two items"}


def plain(items: pd.DataFrame, title: object) -> pd.DataFrame:
    return items[["item_id"]].assign(title=title)


@pytest.mark.parametrize("shape", SHAPES)
def test_items_are_encoded_without_a_crash(
    fabricated_data: Path, tiny_encoder: Path, shape: str
) -> None:
    items = pd.read_csv(fabricated_data / "items.csv", dtype=str)
    poor = SHAPES[shape](items).reindex(columns=list(ITEM_COLUMNS)).astype(object).fillna("")
    log = pd.read_csv(fabricated_data / "interactions.csv", dtype=str).assign(weight=1.0)
    training = build_histories(log, np.sort(log["user_id"].unique()), items["item_id"].to_numpy())
    parameters = ItemEncodingParameters(encoder={"model": str(tiny_encoder)}, dimensions=16)
    texts = nodes.compose_texts(poor, parameters)
    phrases = nodes.find_phrases(texts, parameters)
    cached = pd.DataFrame({"key": pd.Series(dtype=str), "vector": pd.Series(dtype=object)})
    encoded, _ = nodes.encode_new_texts(texts, phrases, cached, parameters)
    embeddings = nodes.collect_embeddings(texts, cached, encoded)
    described = nodes.describe_items(parameters, texts, embeddings, phrases, cached, encoded, {})
    frozen = nodes.whiten_embeddings(embeddings, texts, log, parameters)
    pieces = nodes.split_word_pieces(parameters, texts)
    relations = nodes.relate_items(parameters, training)
    adapted = nodes.adapt_to_behaviour(parameters, frozen, pieces, texts, training, relations)
    tfidf = nodes.encode_tfidf(texts, log, parameters)
    features, _ = nodes.build_item_features(
        TuningParameters(), parameters, training, training, poor.assign(price=np.nan), texts,
        embeddings, frozen, adapted, tfidf,
    )  # fmt: skip
    assert len(described) == len(items)
    for vectors in (frozen, adapted, tfidf):
        assert np.isfinite(vectors["vectors"]).all()
        assert len(vectors["vectors"]) == len(items)
    if shape not in VARIED:
        assert features.text_neighbours.nnz == 0
        assert features.tfidf_neighbours.nnz == 0


@pytest.mark.parametrize("shape", ["only ids"])
def test_the_whole_run_ends_well(
    project: Path,
    run_kedro: Callable[..., str],
    fabricated_data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    shape: str,
) -> None:
    folder = tmp_path / "poor"
    folder.mkdir()
    items = pd.read_csv(fabricated_data / "items.csv", dtype=str)
    SHAPES[shape](items).to_csv(folder / "items.csv", index=False)
    log = pd.read_csv(fabricated_data / "interactions.csv", dtype=str)
    log.to_csv(folder / "interactions.csv", index=False)
    monkeypatch.setenv("LONGTAIL_TEST_DATA", str(folder))
    run_kedro()
    (leaderboard,) = project.rglob("leaderboard.json/*/leaderboard.json")
    rows = json.loads(leaderboard.read_text("utf-8"))
    assert {"als", "hybrid", "popularity"} <= {row["model"] for row in rows}
    assert all(row["value"] is None or row["value"] == row["value"] for row in rows)
