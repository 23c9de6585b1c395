import json
import shutil
from pathlib import Path

import pytest
from tests.conftest import RunKedro


def test_compression_and_stars_are_judged(
    finished_project: Path, project: Path, run_kedro: RunKedro, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(finished_project / "data", project / "data")
    run_kedro(pipelines=["language_study"])

    printed = capsys.readouterr().out
    assert "What compression costs" in printed
    assert "Errors of predicted stars" in printed
    reports = project / "data/test/08_reporting"
    (file,) = (reports / "compression.json").glob("*/*.json")
    ways = {row["way"]: row for row in json.loads(file.read_text())}
    assert {"float32", "int8", "static"} <= ways.keys()
    assert ways["int8"]["bytes"] < ways["float32"]["bytes"]
    assert ways["float32"]["ndcg_share"] == 1
    (file,) = (reports / "rating_quality.json").glob("*/*.json")
    rows = json.loads(file.read_text())
    assert {row["model"] for row in rows} == {"bias_only", "language_model"}
    everything = [row for row in rows if row["group"] == "all"]
    assert all(0 < row["mae"] <= row["rmse"] < 5 for row in everything)
    assert {"head", "tail", "quiet"} <= {row["group"] for row in rows}
