"""One run on real data with the real language model."""

import json
from pathlib import Path

import pytest
from tests.conftest import ROOT, RunKedro

from longtail.demo.movielens import FILES, prepare
from longtail.errors import UserError

# The settings of the demo: a choice on fewer validation users would be left to chance.
QUICK = {"evaluation": {"bootstrap_draws": 200}}


@pytest.fixture
def movielens(tmp_path: Path) -> Path:
    """Folder with MovieLens 100K: that of the demo where it is there, else a fetched one."""
    of_the_demo = ROOT / "data/01_raw/movielens-100k"
    if all((of_the_demo / name).is_file() for name in FILES):
        return of_the_demo
    try:
        prepare(tmp_path / "movielens-100k")
    except UserError as error:
        pytest.skip(f"This test needs MovieLens 100K. {error}")
    return tmp_path / "movielens-100k"


def test_language_finds_more_of_the_tail(
    project: Path, run_kedro: RunKedro, movielens: Path
) -> None:
    (project / "data/01_raw").mkdir(parents=True)
    (project / "data/01_raw/movielens-100k").symlink_to(movielens)

    version = run_kedro(env="demo", params=QUICK)

    rows = json.loads(
        (
            project / f"data/demo/08_reporting/leaderboard.json/{version}/leaderboard.json"
        ).read_text()
    )
    value = {
        (row["model"], row["metric"], row["item_group"]): row["value"]
        for row in rows
        if row["k"] == 20 and row["user_group"] == "all"
    }
    assert value["als", "ndcg", "all"] > 1.1 * value["popularity", "ndcg", "all"]
    assert value["hybrid", "ndcg", "all"] > value["als", "ndcg", "all"]
    assert value["hybrid", "recall", "tail"] > 1.2 * value["als", "recall", "tail"]
