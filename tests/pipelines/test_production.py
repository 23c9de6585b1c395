"""The deployed hybrid: fitted on the whole log, registered as it is, and scoring files."""

import shutil
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from kedro.framework.project import pipelines
from kedro.io import DataCatalog
from mlflow.tracking import MlflowClient
from tests.conftest import enter_project, run

from longtail.errors import UserError
from longtail.project import open_catalog
from longtail.tracking.model_registry import model_to_serve, registered_name

FILES = {
    "csv": lambda table, folder: table.to_csv(folder / "users.csv", index=False),
    "parquet": lambda table, folder: table.to_parquet(folder / "users.parquet"),
}


@pytest.fixture(scope="module")
def deployed_template(
    tmp_path_factory: pytest.TempPathFactory,
    finished_project_template: Path,
    fabricated_data: Path,
    tiny_encoder: Path,
) -> Path:
    """A copy of the finished project in which the hybrid was deployed."""
    copied = tmp_path_factory.mktemp("deployed") / "project"
    shutil.copytree(finished_project_template, copied)
    with pytest.MonkeyPatch.context() as patch:
        enter_project(copied, fabricated_data, tiny_encoder, patch)
        run(copied, pipelines=["deploy"])
    return copied


@pytest.fixture
def deployed(
    deployed_template: Path,
    fabricated_data: Path,
    tiny_encoder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    enter_project(deployed_template, fabricated_data, tiny_encoder, monkeypatch)
    return deployed_template


@pytest.fixture
def catalog(deployed: Path) -> DataCatalog:  # noqa: ARG001
    return open_catalog(env="test")


def whole_log(catalog: DataCatalog) -> pd.DataFrame:
    names = ("train", "validation", "test")
    tables = [catalog.load(f"{name}_interactions@pandas") for name in names]
    return pd.concat(tables)[["user_id", "item_id"]]


def client_of(project: Path) -> MlflowClient:
    return MlflowClient(f"sqlite:///{project}/mlflow.db")


def test_no_list_holds_what_the_user_has_and_every_user_has_one(catalog: DataCatalog) -> None:
    lists, log = catalog.load("deployed_lists"), whole_log(catalog)
    assert lists.merge(log).empty
    assert set(lists["user_id"]) == set(log["user_id"])
    assert (lists.groupby("user_id").size() == 20).all()
    assert (lists["title"] != "").all()
    assert lists["reason"].str.endswith(".").all()
    # The lists of the evaluated hybrid know nothing of the test period.
    assert not catalog.load("recommendations_hybrid").merge(log).empty


def test_an_item_of_the_test_period_alone_is_warm(catalog: DataCatalog) -> None:
    past, log = catalog.load("past_histories"), catalog.load("deployed_histories")
    later = np.flatnonzero((past.item_counts() == 0) & (log.item_counts() > 0))
    assert len(later)
    assert len(log.items) == len(whole_log(catalog))
    before, after = (catalog.load(name).arrays for name in ("als_model", "deployed_als_model"))
    assert not before["item_factors"][later].any()
    assert after["item_factors"][later].any(axis=1).all()


def test_settings_gate_and_vectors_are_those_of_the_evaluated_run(catalog: DataCatalog) -> None:
    served = catalog.load("deployed_hybrid")
    assert served.hybrid.to_json() == catalog.load("hybrid_gate")
    for name, model in served.sources.items():
        evaluated = catalog.load(f"{name}_model").recommender
        assert model.recommender.model_dump(exclude={"model"}) == evaluated.model_dump(
            exclude={"model"}
        )
    features = catalog.load("item_features")
    assert np.array_equal(served.item_vectors, features.vectors)


def test_the_registered_champion_answers_with_the_deployed_lists(
    deployed: Path, catalog: DataCatalog, fabricated_data: Path
) -> None:
    lists = catalog.load("deployed_lists")
    users = lists["user_id"].unique()
    uri = model_to_serve(client_of(deployed), fabricated_data.name)
    assert uri == f"models:/{registered_name(fabricated_data.name)}@champion"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{deployed}/mlflow.db")
        mlflow.set_tracking_uri(f"sqlite:///{deployed}/mlflow.db")
        model = mlflow.pyfunc.load_model(uri)
    answer = model.predict(pd.DataFrame({"user_id": users}), params={"k": 20})
    assert users[answer["request"]].tolist() == lists["user_id"].tolist()
    for column in ("rank", "item_id", "title", "reason"):
        assert answer[column].tolist() == lists[column].tolist()
    assert answer["score"].to_numpy() == pytest.approx(lists["score"].to_numpy(), abs=1e-4)
    assert answer["known"].all()


def test_a_registered_model_says_what_it_is_and_how_good(
    deployed: Path, catalog: DataCatalog, fabricated_data: Path
) -> None:
    client, name = client_of(deployed), registered_name(fabricated_data.name)
    version = client.get_model_version_by_alias(name, "champion")
    assert version.tags["dataset"] == fabricated_data.name
    assert version.tags["protocol"] == "temporal"
    assert version.tags["stage"] == "deployed"
    (quality,) = [
        row
        for row in catalog.load("leaderboard")
        if (row["model"], row["metric"], row["k"]) == ("hybrid", "ndcg", 20)
        and row["item_group"] == row["user_group"] == "all"
    ]
    assert version.tags["ndcg_at_20"].startswith(f"{quality['value']:.4f} [")
    assert "als" in version.tags["recall_at_20.tail"]
    assert version.tags["ndcg_at_20"] in version.description
    evaluated = client.get_model_version(name, "1")
    assert evaluated.tags["stage"] == "evaluated"
    assert evaluated.tags["ndcg_at_20"] == version.tags["ndcg_at_20"]


def test_models_of_other_data_have_other_names_and_a_missing_one_is_said(deployed: Path) -> None:
    assert registered_name("My Shop/2026") == "longtail-my-shop-2026"
    assert registered_name("\u4e66\u5e97") != registered_name("\u56fe\u4e66")
    with pytest.raises(UserError, match="Run `kedro run --env=demo`"):
        model_to_serve(client_of(deployed), "other data", "demo")


def test_a_model_of_a_data_set_that_is_spelt_alike_is_not_served(
    deployed: Path, fabricated_data: Path
) -> None:
    alike = fabricated_data.name.upper()
    assert registered_name(alike) == registered_name(fabricated_data.name)
    with pytest.raises(UserError, match=rf"is of the data set {fabricated_data.name}.*data_name"):
        model_to_serve(client_of(deployed), alike)


def test_nothing_of_the_deployment_feeds_back(deployed: Path) -> None:  # noqa: ARG001
    made = pipelines["deploy"].all_outputs()
    for name, pipeline in pipelines.items():
        assert name in ("deploy", "scoring") or not made & pipeline.datasets(), name


def test_a_leaderboard_of_another_gate_is_refused(
    tmp_path: Path, deployed: Path, fabricated_data: Path, tiny_encoder: Path
) -> None:
    copied = tmp_path / "project"
    shutil.copytree(deployed, copied)
    with pytest.MonkeyPatch.context() as patch:
        enter_project(copied, fabricated_data, tiny_encoder, patch)
        params: dict[str, Any] = {"hybrid": {"tail_emphasis": 0.7}}
        run(copied, pipelines=["hybrid_scoring"], params=params)
        with pytest.raises(UserError, match="evaluation"):
            run(copied, pipelines=["deploy"], params=params)


@pytest.mark.parametrize("suffix", FILES)
def test_a_file_of_users_and_histories_is_scored(
    deployed: Path, tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = open_catalog(env="test")
    served = before.load("deployed_hybrid")
    users, items = served.histories.user_ids, served.histories.item_ids
    rows = [
        {"user_id": users[0], "item_id": "", "timestamp": "", "rating": ""},
        {"user_id": "newcomer", "item_id": items[7], "timestamp": "2026-03-02", "rating": "5"},
        {"user_id": "newcomer", "item_id": items[3], "timestamp": "2026-03-01", "rating": "4"},
        {"user_id": "newcomer", "item_id": items[9], "timestamp": "2026-03-03", "rating": "1"},
        {"user_id": "newcomer", "item_id": "gone", "timestamp": "2026-03-03", "rating": "5"},
        {"user_id": "nobody", "item_id": "", "timestamp": "", "rating": ""},
    ]
    FILES[suffix](pd.DataFrame(rows).assign(city="Ulm"), tmp_path)
    monkeypatch.setenv("LONGTAIL_SCORING", str(tmp_path))
    version = run(deployed, pipelines=["scoring"], params={"scoring": {"length": 7}})

    catalog = open_catalog(env="test")
    lists, report = catalog.load("scored_lists"), catalog.load("scoring_report")
    folder = deployed / f"data/test/07_model_output/scored_lists.csv/{version}"
    exported = pd.read_csv(folder / "scored_lists.csv", dtype={"user_id": str, "item_id": str})
    assert exported["item_id"].tolist() == lists["item_id"].tolist()
    assert lists.columns.tolist() == [
        "user_id", "known", "rank", "item_id", "title", "score", "reason"
    ]  # fmt: skip
    for user, request in (
        (users[0], {"user_id": users[0]}),
        ("newcomer", {"item_ids": [items[3], items[7]]}),
        ("nobody", {"user_id": "nobody"}),
    ):
        own = lists[lists["user_id"] == user]
        answer = served.recommend(**request, k=7)
        assert own["item_id"].tolist() == answer["item_id"].tolist()
        assert own["reason"].tolist() == answer["reason"].tolist()
    assert lists.groupby("user_id")["known"].first().to_dict() == {
        users[0]: True, "newcomer": False, "nobody": False
    }  # fmt: skip
    assert report["unknown_item_examples"] == ["gone"]
    assert report["rows_below_min_rating"] == 1
    assert report["users_with_history_in_log"] == 1
    assert report["users_unknown"] == 1
    assert report["unused_columns"] == ["city"]
