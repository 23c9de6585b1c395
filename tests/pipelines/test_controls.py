import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from kedro.framework.project import pipelines
from kedro.framework.startup import bootstrap_project

from longtail.pipelines.controls.nodes import encode_with_second_encoder
from longtail.pipelines.controls.pipeline import NO_TEXT, VECTORS, create_pipeline
from longtail.pipelines.item_encoding.params import ItemEncodingParameters
from longtail.pipelines.selection import ModelSelection
from longtail.text.encoder import TextEncoder
from longtail.text.encoder_parameters import EncoderParameters

ROOT = Path(__file__).resolve().parents[2]
CONTROLS = (NO_TEXT, *VECTORS)
MODELS = {"als", "hybrid", *(f"hybrid_{control}" for control in CONTROLS)}
SELECTION = ModelSelection(("als", "text_knn"), ("als", "text_knn"), "als")


def newest(project: Path, layer: str, name: str) -> Path:
    (file,) = (project / "data/test" / layer / name).glob(f"*/{name}")
    return file


def read_json(project: Path, layer: str, name: str) -> Any:
    return json.loads(newest(project, layer, name).read_text(encoding="utf-8"))


def test_the_usual_run_does_not_include_the_controls() -> None:
    bootstrap_project(ROOT)
    pipelines.set_requested(None)
    assert "controls" in pipelines
    controls = create_pipeline(SELECTION, second_encoding=True)
    assert not {node.name for node in controls.nodes} & {
        node.name for node in pipelines["__default__"].nodes
    }
    assert not controls.all_outputs() & pipelines["__default__"].inputs()


def test_every_control_is_fitted_anew_and_compared(
    finished_project: Path,
    project: Path,
    tiny_encoder: Path,
    run_kedro: Callable[..., str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copytree(finished_project / "data", project / "data")
    second = {"model": str(tiny_encoder), "pooling": "last-token", "dimensions": 8}
    run_kedro(pipelines=["controls"], params={"item_encoding": {"second_encoder": second}})

    assert "hybrid_no_text" in capsys.readouterr().out
    rows = read_json(project, "08_reporting", "controls_leaderboard.json")
    assert {row["model"] for row in rows} == MODELS | {"hybrid_second_encoder"}
    comparisons = read_json(project, "08_reporting", "controls_comparisons.json")
    assert {row["baseline"] for row in comparisons} == {"hybrid_no_text"}
    gate = read_json(project, "06_models", "hybrid_no_text_gate.json")
    assert not [name for name in gate["weights"] if "text" in name]
    names = ["hybrid", *(f"hybrid_{control}" for control in (*CONTROLS, "second_encoder"))]
    lists = {
        name: pd.read_parquet(newest(project, "07_model_output", f"recommendations_{name}.parquet"))
        for name in names
    }
    users = {name: set(table["user_id"]) for name, table in lists.items()}
    assert all(users[name] == users["hybrid"] for name in names)
    for name in names[1:]:
        assert not lists[name]["score"].equals(lists["hybrid"]["score"])
    speed = read_json(project, "08_reporting", "second_encoding_speed.json")
    assert (speed["model"], speed["dimensions"]) == (str(tiny_encoder), 8)
    assert speed["texts"] > 0


def test_without_a_second_encoder_its_control_is_left_out(
    finished_project: Path, project: Path, run_kedro: Callable[..., str]
) -> None:
    shutil.copytree(finished_project / "data", project / "data")
    run_kedro(pipelines=["controls"])

    rows = read_json(project, "08_reporting", "controls_leaderboard.json")
    assert {row["model"] for row in rows} == MODELS
    assert not list((project / "data/test").rglob("*second_encod*"))


def test_keywords_can_join_the_texts_of_the_second_encoding(tiny_encoder: Path) -> None:
    encoder = EncoderParameters(model=str(tiny_encoder), precision="float32")
    parameters = ItemEncodingParameters(encoder=encoder, dimensions=2, second_text=("keywords",))
    texts = pd.DataFrame({"item_id": list("abc"), "text": ["red pan", "blue oven", "old fern"]})
    understanding = pd.DataFrame({"keywords": ["pan", "", "fern"]})
    nothing = pd.DataFrame({"key": pd.Series(dtype=str), "vector": pd.Series(dtype=object)})
    encoded, vectors, speed = encode_with_second_encoder(
        parameters, texts, understanding, nothing, texts[["item_id"]]
    )
    longer = pd.Series(["pan. red pan", "blue oven", "fern. old fern"])
    assert encoded["key"].tolist() == TextEncoder(encoder).text_keys(longer).tolist()
    assert len(vectors["vectors"]) == 3
    assert speed["texts"] == 3
