import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from tests.conftest import RunKedro


def test_new_items_are_recommended_alone_and_compared(
    finished_project: Path, project: Path, run_kedro: RunKedro, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(finished_project / "data", project / "data")
    run_kedro(pipelines=["cold_start"])

    assert "harmonic" in capsys.readouterr().out
    data = project / "data/test"
    (lists,) = (data / "07_model_output/cold_recommendations.parquet").glob("*/*.parquet")
    (groups,) = (data / "05_model_input/item_groups.parquet").glob("*/*.parquet")
    recommended = pd.read_parquet(lists)
    item_groups = pd.read_parquet(groups)
    cold = item_groups.loc[item_groups["item_group"] == "cold", "item_id"]
    assert set(recommended["item_id"]) <= set(cold)
    (pools,) = (data / "08_reporting/candidate_pools.json").glob("*/*.json")
    rows = json.loads(pools.read_text())
    ndcg = {
        (row["model"], row["candidates"]): row["value"]
        for row in rows
        if (row["metric"], row["k"]) == ("ndcg", 20)
    }
    assert {pool for _, pool in ndcg} == {"cold", "warm", "mixed", "harmonic"}
    # The text tells which new items suit; behaviour alone cannot.
    assert ndcg["text_knn", "cold"] > ndcg["als", "cold"]


def test_hidden_users_are_folded_in_step_by_step(
    finished_project: Path, project: Path, run_kedro: RunKedro, capsys: pytest.CaptureFixture[str]
) -> None:
    cache = "data/test/04_feature/embedding_cache.parquet"
    shutil.copytree(finished_project / cache, project / cache)
    cleaning = {"protocol": "user_cold", "hidden_share": 0.3, "fold_in": [0, 1, 5]}
    run_kedro(params={"behaviour_cleaning": cleaning})
    capsys.readouterr()
    run_kedro(pipelines=["cold_start"])

    assert "NDCG@20 of new users by history length" in capsys.readouterr().out
    data = project / "data/test"
    (file,) = (data / "08_reporting/folded_in.json").glob("*/*.json")
    ndcg = {
        (row["model"], row["n_folded_in"]): row["value"]
        for row in json.loads(file.read_text())
        if (row["metric"], row["k"], row["item_group"]) == ("ndcg", 20, "all")
    }
    assert {length for _, length in ndcg} == {0, 1, 5}
    # Without a history everybody is offered the same; every model knows more after five items.
    assert ndcg["als", 0] == ndcg["item_knn", 0] == ndcg["popularity", 0]
    assert ndcg["als", 5] > ndcg["als", 0]
    assert ndcg["hybrid", 5] > ndcg["hybrid", 0]
    (table,) = (data / "07_model_output/folded_in_recommendations.parquet").glob("*/*.parquet")
    (own,) = (data / "05_model_input/fold_in_interactions.parquet").glob("*/*.parquet")
    lists = pd.read_parquet(table)
    own_pairs = set(map(tuple, pd.read_parquet(own)[["user_id", "item_id"]].to_numpy()))
    assert not own_pairs & set(map(tuple, lists[["user_id", "item_id"]].to_numpy()))
    assert lists.groupby(["model", "n_folded_in", "user_id"])["rank"].min().eq(1).all()
