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
