import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from kedro.framework.project import pipelines
from kedro.framework.startup import bootstrap_project
from tests.recommenders.worlds import histories_of

from longtail.metrics.arms import CONTRASTS
from longtail.pipelines.arms.nodes import build_views, encode_with_second_encoder
from longtail.pipelines.arms.pipeline import ARMS, create_pipeline
from longtail.pipelines.item_encoding.params import ItemEncodingParameters
from longtail.pipelines.selection import ModelSelection
from longtail.text.encoder import TextEncoder
from longtail.text.encoder_parameters import EncoderParameters
from longtail.text.whitening import unit_length
from longtail.tuning.search import TuningParameters

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("als", "tfidf_knn", "text_knn", "text_metric")
SELECTION = ModelSelection(SOURCES, SOURCES, "als")


def newest(project: Path, layer: str, name: str) -> Path:
    (file,) = (project / "data/test" / layer / name).glob(f"*/{name}")
    return file


def read_json(project: Path, layer: str, name: str) -> Any:
    return json.loads(newest(project, layer, name).read_text(encoding="utf-8"))


def test_the_usual_run_does_not_include_the_arms() -> None:
    bootstrap_project(ROOT)
    pipelines.set_requested(None)
    assert "arms" in pipelines
    arms = create_pipeline(SELECTION, second_encoding=True)
    assert not {node.name for node in arms.nodes} & {
        node.name for node in pipelines["__default__"].nodes
    }
    assert not arms.all_outputs() & pipelines["__default__"].inputs()


@pytest.mark.parametrize("arm", [arm for arm in ARMS if arm != "no_text"])
def test_an_arm_tunes_every_source_that_reads_text_on_its_own_vectors(arm: str) -> None:
    pipeline = create_pipeline(SELECTION, second_encoding=False)
    for source in ("tfidf_knn", "text_knn", "text_metric"):
        (tuned,) = pipeline.only_nodes_with_outputs(f"{arm}.{source}_hyperparameters").nodes
        assert f"{arm}.item_features" in tuned.inputs
    (gate,) = pipeline.only_nodes_with_outputs(f"{arm}.hybrid_gate").nodes
    models = {name for name in gate.inputs if name.endswith("_validation_model")}
    assert models == {
        "als_validation_model",
        *(f"{arm}.{source}_validation_model" for source in SOURCES[1:]),
    }


@pytest.mark.parametrize("arm", [arm for arm in ARMS if arm != "no_text"])
def test_every_arm_chooses_between_frozen_and_adapted_vectors(arm: str) -> None:
    pipeline = create_pipeline(SELECTION, second_encoding=False)
    (views,) = pipeline.only_nodes_with_outputs(f"{arm}.item_features").nodes
    vectors = {name for name in views.inputs if name.endswith("_vectors")}
    adapted = {name for name in vectors if "adapted" in name}
    assert len(adapted) == len(vectors - adapted) == len(ARMS[arm])


@pytest.mark.parametrize("control", ["shuffled", "random"])
def test_a_control_reads_no_text_of_its_own(control: str) -> None:
    pipeline = create_pipeline(SELECTION, second_encoding=False)
    (adapting,) = pipeline.only_nodes_with_outputs(f"{control}_adapted_vectors").nodes
    assert f"{control}_vectors" in adapting.inputs
    assert not {"word_pieces", "language_vectors"} & set(adapting.inputs)


def test_every_arm_has_three_different_graphs() -> None:
    generator = np.random.default_rng(0)
    frozen, adapted, other, other_adapted = (
        {"vectors": unit_length(generator.normal(size=(40, 6)).astype(np.float32))}
        for _ in range(4)
    )
    training = histories_of(np.argwhere(generator.random((30, 40)) < 0.2), 30, 40)
    held_out = histories_of(np.argwhere(generator.random((30, 40)) < 0.1), 30, 40)
    given = (TuningParameters(), ItemEncodingParameters(neighbours=5), training, held_out)
    alone = build_views(*given, frozen, adapted)
    both = build_views(*given, frozen, adapted, other, other_adapted)
    for arm in (alone, both):
        graphs = (arm.text_neighbours, arm.frozen_neighbours, arm.tfidf_neighbours)
        edges = {tuple(graph.indices) for graph in graphs}
        assert len(edges) == 3
    # Nothing of one representation is lost where another joins it.
    np.testing.assert_allclose(unit_length(both.vectors[:, :6]), alone.vectors, atol=1e-6)
    assert both.vectors.shape == (40, 12)
    second = unit_length(both.vectors[:, 6:])
    assert any(np.allclose(second, one["vectors"], atol=1e-6) for one in (other, other_adapted))


def test_the_arm_without_text_reads_nothing_of_the_texts() -> None:
    pipeline = create_pipeline(SELECTION, second_encoding=False)
    arm = pipeline.only_nodes_with_namespaces(["no_text"])
    assert not {name for name in arm.inputs() if "vectors" in name or "features" in name}
    assert "als_model" in arm.inputs()


def test_the_arms_are_fitted_and_compared(
    finished_project: Path,
    project: Path,
    tiny_encoder: Path,
    run_kedro: Callable[..., str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copytree(finished_project / "data", project / "data")
    second = {"model": str(tiny_encoder), "pooling": "last-token", "dimensions": 8}
    run_kedro(pipelines=["arms"], params={"item_encoding": {"second_encoder": second}})

    shown = capsys.readouterr().out
    for words in CONTRASTS.values():
        assert words in shown
    arms = {*ARMS, "second_language"}
    rows = read_json(project, "08_reporting", "arms_leaderboard.json")
    assert {row["model"] for row in rows} == arms
    contrasts = read_json(project, "08_reporting", "arms_contrasts.json")
    assert {(row["model"], row["baseline"]) for row in contrasts} == set(CONTRASTS)
    assert {row["contrast"] for row in contrasts} == set(CONTRASTS.values())
    groups = {(row["item_group"], row["user_group"]) for row in contrasts}
    assert {("all", "all"), ("tail", "all"), ("all", "quiet"), ("short_text", "all")} <= groups
    page = newest(project, "08_reporting", "arms_report.html").read_text(encoding="utf-8")
    assert "What the language model brings" in page
    assert all(f"<td>{words}</td>" in page for words in CONTRASTS.values())
    gate = read_json(project, "06_models/arms", "no_text_hybrid_gate.json")
    assert not [name for name in gate["weights"] if "text" in name or "tfidf" in name]
    lists = {
        arm: pd.read_parquet(
            newest(project, "07_model_output", f"recommendations_hybrid_{arm}.parquet")
        )
        for arm in arms
    }
    users = {arm: set(table["user_id"]) for arm, table in lists.items()}
    assert all(users[arm] == users["language"] for arm in arms)
    alone = {
        arm: read_json(project, "06_models/arms", f"{arm}_hybrid_gate.json")["alone"]["text_knn"]
        for arm in arms - {"no_text"}
    }
    assert alone["tfidf_and_language"] == alone["language"]
    for arm in arms - {"no_text", "tfidf_and_language", "language"}:
        assert alone[arm] != alone["language"]
    speed = read_json(project, "08_reporting", "second_encoding_speed.json")
    assert (speed["model"], speed["dimensions"]) == (str(tiny_encoder), 8)
    assert speed["texts"] > 0


def test_without_a_second_encoder_its_arm_is_left_out(
    finished_project: Path, project: Path, run_kedro: Callable[..., str]
) -> None:
    shutil.copytree(finished_project / "data", project / "data")
    run_kedro(pipelines=["arms"])

    rows = read_json(project, "08_reporting", "arms_leaderboard.json")
    assert {row["model"] for row in rows} == set(ARMS)
    assert not list((project / "data/test").rglob("*second*"))


def test_keywords_can_join_the_texts_of_the_second_encoding(tiny_encoder: Path) -> None:
    encoder = EncoderParameters(model=str(tiny_encoder), precision="float32")
    parameters = ItemEncodingParameters(encoder=encoder, dimensions=2, second_text=("keywords",))
    texts = pd.DataFrame({"item_id": list("abc"), "text": ["red pan", "blue oven", "old fern"]})
    understanding = pd.DataFrame({"keywords": ["pan", "", "fern"]})
    nothing = pd.DataFrame({"key": pd.Series(dtype=str), "vector": pd.Series(dtype=object)})
    encoded, vectors, word_pieces, speed = encode_with_second_encoder(
        parameters, texts, understanding, nothing, texts[["item_id"]]
    )
    longer = pd.Series(["pan. red pan", "blue oven", "fern. old fern"])
    assert encoded["key"].tolist() == TextEncoder(encoder).text_keys(longer).tolist()
    assert len(vectors["vectors"]) == 3
    assert word_pieces.shape[0] == 3
    assert speed["texts"] == 3
