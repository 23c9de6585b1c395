import json
import re
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from kedro.io import DatasetError
from mlflow.tracking import MlflowClient
from safetensors.numpy import load_file

from longtail.project import open_catalog
from longtail.tracking.model_registry import registered_name

KEY = "a key that nobody guesses"
QUICK = {"min_evaluated_users": 5}


@pytest.fixture
def shop(tmp_path: Path, fabricated_data: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The fabricated data with ids that cannot occur by chance, in two columns."""
    folder = tmp_path / "shop"
    folder.mkdir()
    log = pd.read_csv(fabricated_data / "interactions.csv", dtype=str)
    log["user_id"] = "person-" + log["user_id"]
    log["visitor"] = log["user_id"].str.replace("person", "visitor")
    log.loc[log.index[:5], "rating"] = "many"
    log.to_csv(folder / "interactions.csv", index=False)
    pd.read_csv(fabricated_data / "items.csv", dtype=str).to_csv(folder / "items.csv", index=False)
    monkeypatch.setenv("LONGTAIL_DATA", str(folder))
    monkeypatch.setenv("LONGTAIL_PSEUDONYM_KEY", KEY)
    return folder


@pytest.mark.parametrize("column", ["user_id", "visitor"])
def test_neither_user_ids_nor_the_key_leave_the_private_environment(
    project: Path,
    run_kedro: Callable[..., str],
    shop: Path,
    column: str,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    with caplog.at_level("DEBUG"):
        run_kedro(
            pipelines=["behaviour_cleaning"],
            env="private",
            params={"behaviour_cleaning": QUICK | {"interactions_columns": {"user_id": column}}},
        )
    raw = pd.read_csv(shop / "interactions.csv", dtype=str)
    tables = {path.name: pd.read_parquet(path) for path in project.rglob("data/**/*.parquet")}
    with_users = {name: table for name, table in tables.items() if "user_id" in table}
    assert len(with_users) >= 6
    assert len(tables["rejected_interactions.parquet"]) >= 5
    users = set().union(*(table["user_id"] for table in with_users.values()))
    assert len(users) == raw[column].nunique()
    assert {len(user) for user in users} == {32}
    output = capfd.readouterr()
    logs = f"{caplog.text}{output.out}{output.err}"
    contents = dict(texts_below(project))
    preview = json.dumps(open_catalog("private")["raw_interactions"].preview())
    contents |= {"preview": preview, "logs": logs}
    assert {"mlflow.db", "cleaning_report.json", "train_interactions.parquet"} <= set(contents)
    for name, content in contents.items():
        for secret in (KEY, "person-", "visitor-"):
            assert secret not in content, f"{secret} is in {name}"


def texts_below(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield name and content of every file but the code, tables and arrays as text."""
    for path in folder.rglob("*"):
        if path.is_dir() or path.relative_to(folder).parts[0] in {"src", "conf"}:
            continue
        if path.suffix == ".parquet":
            content = pd.read_parquet(path).to_csv()
        elif path.suffix == ".npz":
            content = " ".join(map(str, (a.tolist() for a in np.load(path).values())))
        elif path.suffix == ".db":
            with sqlite3.connect(path) as store:
                content = "\n".join(store.iterdump())
        else:
            content = path.read_bytes().decode("latin-1")
        yield path.name, content


@pytest.mark.parametrize("key", [None, "", " " * 40])
@pytest.mark.usefixtures("shop")
def test_a_missing_key_is_one_sentence(
    project: Path,
    run_kedro: Callable[..., str],
    key: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("LONGTAIL_PSEUDONYM_KEY")
    if key is not None:
        monkeypatch.setenv("LONGTAIL_PSEUDONYM_KEY", key)
    with pytest.raises(DatasetError, match="LONGTAIL_PSEUDONYM_KEY"):
        run_kedro(pipelines=["behaviour_cleaning"], env="private")
    assert not list(project.rglob("data/**/*.parquet"))


def test_a_key_and_a_folder_may_look_like_an_interpolation(
    run_kedro: Callable[..., str],
    project: Path,
    shop: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    odd = shop.rename(shop.parent / "Anna's ${shop}[1]")
    monkeypatch.setenv("LONGTAIL_DATA", str(odd))
    monkeypatch.setenv("LONGTAIL_PSEUDONYM_KEY", "${a} key that nobody guesses")
    run_kedro(pipelines=["behaviour_cleaning"], env="private", params={"behaviour_cleaning": QUICK})
    with sqlite3.connect(project / "mlflow.db") as store:
        tags = dict(store.execute("SELECT key, value FROM tags"))
        statuses = [status for (status,) in store.execute("SELECT status FROM runs")]
    assert tags["dataset"] == odd.name
    assert statuses == ["FINISHED"]


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
    source = client.get_model_version(registered_name(people.name), "1").source
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
