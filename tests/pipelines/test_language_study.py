import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from tests.conftest import RunKedro

from longtail.pipelines.evaluation.params import EvaluationParameters
from longtail.pipelines.item_encoding.params import ItemEncodingParameters
from longtail.pipelines.language_study.nodes import study_wishes
from longtail.pipelines.language_study.params import WishStudyParameters
from longtail.pipelines.language_study.pipeline import create_pipeline
from longtail.text.encoder import TextEncoder
from longtail.text.encoder_parameters import EncoderParameters
from longtail.text.whitening import Whitening


def test_compression_stars_and_lists_are_judged(
    finished_project: Path,
    project: Path,
    run_kedro: RunKedro,
    tiny_generator: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    shutil.copytree(finished_project / "data", project / "data")
    generator = {"model": str(tiny_generator), "new_tokens": 4}
    judge = {"users": 5, "candidates": 10, "generator": generator}
    study = {"llm_judge": judge, "augmentation_study": {"users": 50}}
    run_kedro(pipelines=["language_study"], params=study)

    printed = capsys.readouterr().out
    assert "What compression costs" in printed
    assert "Errors of predicted stars" in printed
    reports = project / "data/test/08_reporting"
    (file,) = (reports / "compression.json").glob("*/*.json")
    ways = {row["way"]: row for row in json.loads(file.read_text())}
    assert {"float32", "int8", "static"} <= ways.keys()
    assert ways["int8"]["bytes"] < ways["float32"]["bytes"]
    assert ways["float32"]["ndcg_share"] == 1
    check_augmentation(reports, printed)
    check_judge(reports, printed)
    # The descriptions of the fabricated catalogue have one sentence each.
    (file,) = (reports / "wishes.json").glob("*/*.json")
    assert json.loads(file.read_text()) == []
    assert "There are no wishes" in caplog.text
    (file,) = (reports / "rating_quality.json").glob("*/*.json")
    rows = json.loads(file.read_text())
    assert {row["model"] for row in rows} == {
        "global_mean",
        "bias_only",
        "matrix_factorisation",
        "language_model",
        "language_model_without_text",
    }
    everything = [row for row in rows if row["group"] == "all"]
    assert all(0 < row["mae"] <= row["rmse"] < 5 for row in everything)
    assert {"head", "tail", "quiet"} <= {row["group"] for row in rows}


def check_augmentation(reports: Path, printed: str) -> None:
    assert "What augmentation brings" in printed
    (file,) = (reports / "augmentation.json").glob("*/*.json")
    rows = json.loads(file.read_text())
    assert {row["model"] for row in rows} == {"history_dropout", "pseudo_interactions", "both"}
    assert {row["metric"] for row in rows} == {"ndcg", "recall"}
    assert {"all", "quiet"} <= {row["user_group"] for row in rows}
    assert all(row["baseline"] == "neither" for row in rows)


def check_judge(reports: Path, printed: str) -> None:
    assert "A language model as judge" in printed
    (file,) = (reports / "llm_judge.json").glob("*/*.json")
    rows = json.loads(file.read_text())
    compared = {(row["model"], row["metric"], row["k"]) for row in rows}
    assert compared == {
        (model, *metric)
        for model in ("judge", "blend")
        for metric in (("ndcg", 20), ("recall", 10))
    }
    assert all(row["baseline"] == "hybrid" and row["n_users"] == 5 for row in rows)
    # Another order of ten items finds what the ten hold.
    assert all(row["difference"] == 0 for row in rows if row["metric"] == "recall")
    assert all(row["seconds_per_user"] > 0 for row in rows)
    (file,) = (reports / "llm_reasons.json").glob("*/*.json")
    written = json.loads(file.read_text())
    assert 0 < written["sentences"] <= 10
    # Words drawn by chance tell of other things than the facts: the template stays.
    assert written["share_accepted"] == 0
    assert all(row["sentence"] != row["written"] for row in written["rows"])


def test_nothing_is_judged_unless_wanted() -> None:
    outputs = create_pipeline(augmentation=False, judge=False).all_outputs()
    assert outputs == {"compression", "rating_quality", "wishes"}
    assert "llm_judge" in create_pipeline(augmentation=False, judge=True).all_outputs()
    assert "augmentation" in create_pipeline(augmentation=True, judge=False).all_outputs()


def test_items_are_found_by_a_sentence_about_them(
    tiny_encoder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    names = ["lamp", "rug", "cup", "pen", "tray", "sofa", "vase", "bell", "rope", "drum"]
    text = "{0} {0} {0} {0} {0} {0} first. {0} {0} {0} {0} {0} {0} second."
    items = pd.DataFrame({"item_id": names, "title": names, "categories": "", "brand": ""})
    items["description"] = [text.format(name) for name in names]
    encoding = ItemEncodingParameters(encoder=EncoderParameters(model=str(tiny_encoder)))
    embeddings = TextEncoder(encoding.encoder).encode(items["description"].tolist())
    whitening = Whitening.fit(embeddings, 0.5, 4).to_arrays()
    groups = pd.DataFrame({"item_id": names, "interaction_count": 1, "item_group": "tail"})
    rows = study_wishes(
        WishStudyParameters(),
        encoding,
        EvaluationParameters(
            ks=(20,), primary_k=20, baseline="als", bootstrap_draws=100, confidence=0.95, seed=1
        ),
        items,
        {"embeddings": embeddings},
        whitening,
        groups,
    )
    values = {(row["model"], row["metric"]): row for row in rows}
    assert values.keys() == {
        (model, metric)
        for model in ("language", "words_and_language")
        for metric in ("recall", "mrr")
    }
    # The name stands in both sentences, so that words alone find every item at once.
    assert all(row["baseline_value"] == 1 and row["n_users"] == 10 for row in rows)
    assert values["words_and_language", "recall"]["value"] == 1
    assert caplog.records == []
