import json
import re
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.tracking import MlflowClient
from safetensors.numpy import load_file

from longtail.tracking.model_registry import REGISTERED_MODEL

KEY = "a key that nobody guesses"


def test_neither_user_ids_nor_the_key_leave_the_private_environment(
    project: Path,
    run_kedro: Callable[..., str],
    fabricated_data: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("LONGTAIL_DATA", str(fabricated_data))
    monkeypatch.setenv("LONGTAIL_PSEUDONYM_KEY", KEY)
    run_kedro(
        pipelines=["behaviour_cleaning"],
        env="private",
        params={"behaviour_cleaning": {"min_evaluated_users": 5}},
    )
    files = [path for path in (project / "data").rglob("*") if path.is_file()]
    tables = {path.name: pd.read_parquet(path) for path in files if path.suffix == ".parquet"}
    with_users = {name: table for name, table in tables.items() if "user_id" in table}
    assert len(with_users) >= 6
    for table in with_users.values():
        assert (table["user_id"].str.len() == 32).all()
    user = pd.read_csv(fabricated_data / "interactions.csv")["user_id"].iloc[0].encode()
    texts = [path.read_bytes() for path in files if path.suffix == ".json"]
    assert not any(user in text for text in texts)
    everything = [path.read_bytes() for path in (*files, project / "mlflow.db")]
    assert not any(KEY.encode() in content for content in everything)
    assert KEY not in caplog.text


@pytest.fixture
def people(fabricated_data: Path, tmp_path: Path) -> Path:
    """The fabricated data with user ids that occur nowhere else."""
    folder = tmp_path / "people"
    folder.mkdir()
    interactions = pd.read_csv(fabricated_data / "interactions.csv")
    renamed = "person-" + interactions["user_id"].str.removeprefix("u") + "@example.org"
    interactions.assign(user_id=renamed).to_csv(folder / "interactions.csv", index=False)
    (folder / "items.csv").write_bytes((fabricated_data / "items.csv").read_bytes())
    return folder


def test_nothing_of_one_user_leaves_a_run_of_the_private_environment(
    project: Path,
    run_kedro: Callable[..., str],
    people: Path,
    tiny_encoder: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("LONGTAIL_DATA", str(people))
    monkeypatch.setenv("LONGTAIL_PSEUDONYM_KEY", KEY)
    run_kedro(
        env="private",
        params={
            "behaviour_cleaning": {"min_evaluated_users": 5},
            "item_encoding": {
                "encoder": {"model": str(tiny_encoder)}, "dimensions": 16, "neighbours": 10
            },
            "tuning": {"trials": 1},
            "evaluation": {"bootstrap_draws": 200},
        },
    )  # fmt: skip
    # Raw ids and the key: nowhere.
    printed = "".join(capfd.readouterr()) + caplog.text
    contents = {str(path): text for path, text in readable(project)} | {
        "terminal": printed.encode()
    }
    assert any("mlartifacts" in name for name in contents)
    for name, content in contents.items():
        assert b"person-" not in content, name
        assert KEY.encode() not in content, name

    # Pseudonyms: only in the data and in the users that the model knows.
    histories = pd.read_parquet(newest(project / "data", "interactions.parquet"))
    pseudonyms = set(histories["user_id"])
    assert len(pseudonyms) > 50
    assert all(re.fullmatch("[0-9a-f]{32}", pseudonym) for pseudonym in pseudonyms)
    shown = {
        name: content for name, content in contents.items()
        if name in ("terminal", str(project / "mlflow.db")) or "08_reporting" in name
        or ("mlartifacts" in name and not name.endswith("users.parquet"))
    }  # fmt: skip
    for name, content in shown.items():
        if not name.endswith(".parquet"):
            found = set(re.findall("[0-9a-f]{32}", content.decode(errors="ignore")))
            assert not found & pseudonyms, name

    # Histories: no request of the registered model's example is one of a user.
    client = MlflowClient(f"sqlite:///{project}/mlflow.db")
    source = client.get_model_version(REGISTERED_MODEL, "1").source
    model = Path(mlflow.artifacts.download_artifacts(source, tracking_uri=client.tracking_uri))
    columns = json.loads((model / "input_example.json").read_text())["inputs"]
    requests = pd.DataFrame(columns["data"], columns=columns["columns"])
    assert "user_id" not in requests
    arrays = load_file(next(model.rglob("arrays.safetensors")))
    items = pd.read_parquet(next(model.rglob("items.parquet")))["item_id"].to_numpy()
    counts = np.bincount(arrays["histories.items"], minlength=len(items))
    most_chosen = items[np.argsort(-counts, kind="stable")[:3]]
    assert requests["item_ids"].dropna().tolist() == [most_chosen.tolist()]


def readable(project: Path) -> Iterator[tuple[Path, bytes]]:
    """Yield what a run has written, files of tables as text."""
    for path in (path for path in project.rglob("*") if path.is_file()):
        if {"src", "code", "conf"} & set(path.relative_to(project).parts):
            continue
        if path.suffix == ".parquet":
            yield path, pd.read_parquet(path).to_csv().encode()
        elif path.suffix == ".db":
            with sqlite3.connect(path) as store:
                yield path, "\n".join(store.iterdump()).encode()
        else:
            yield path, path.read_bytes()


def newest(folder: Path, name: str) -> Path:
    """Return the newest version of a dataset."""
    return max(folder.rglob(f"{name}/*/{name}"))
