"""One run on real data with the real language model, and what is served after it."""

import json
from pathlib import Path

import numpy as np
import pytest
from tests.conftest import ROOT, copy_project, enter_project, run

from longtail.demo.movielens import FILES, prepare
from longtail.errors import UserError
from longtail.project import open_catalog
from longtail.serving.hybrid import Request, ServedHybrid
from longtail.tracking.model_registry import served_hybrid

# The settings of the demo: a choice on fewer validation users would be left to chance.
QUICK = {"evaluation": {"bootstrap_draws": 200}}


@pytest.fixture(scope="module")
def movielens(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with MovieLens 100K: that of the demo where it is there, else a fetched one."""
    of_the_demo = ROOT / "data/01_raw/movielens-100k"
    if all((of_the_demo / name).is_file() for name in FILES):
        return of_the_demo
    folder = tmp_path_factory.mktemp("data") / "movielens-100k"
    try:
        prepare(folder)
    except UserError as error:
        pytest.skip(f"This test needs MovieLens 100K. {error}")
    return folder


@pytest.fixture(scope="module")
def demo_run(
    movielens: Path, tmp_path_factory: pytest.TempPathFactory, empty_store: Path
) -> tuple[Path, str]:
    """A copy of the project with one run of the demo, and the version that it saved."""
    project = copy_project(tmp_path_factory.mktemp("demo") / "project", empty_store)
    (project / "data/01_raw").mkdir(parents=True)
    (project / "data/01_raw/movielens-100k").symlink_to(movielens)
    with pytest.MonkeyPatch.context() as patch:
        enter_project(project, movielens, movielens, patch)
        return project, run(project, env="demo", params=QUICK)


@pytest.fixture(scope="module")
def served(demo_run: tuple[Path, str], movielens: Path) -> ServedHybrid:
    with pytest.MonkeyPatch.context() as patch:
        enter_project(demo_run[0], movielens, movielens, patch)
        return served_hybrid(open_catalog(env="demo"))


def test_language_finds_more_of_the_tail(demo_run: tuple[Path, str]) -> None:
    project, version = demo_run
    folder = project / f"data/demo/08_reporting/leaderboard.json/{version}"
    rows = json.loads((folder / "leaderboard.json").read_text())
    value = {
        (row["model"], row["metric"], row["item_group"]): row["value"]
        for row in rows
        if row["k"] == 20 and row["user_group"] == "all"
    }
    assert value["als", "ndcg", "all"] > 1.1 * value["popularity", "ndcg", "all"]
    assert value["hybrid", "ndcg", "all"] > value["als", "ndcg", "all"]
    assert value["hybrid", "recall", "tail"] > 1.2 * value["als", "recall", "tail"]


def test_a_third_of_its_words_finds_an_item(served: ServedHybrid) -> None:
    """The first third, as people type titles: its genres alone would name hundreds."""
    drawn = np.random.default_rng(0).choice(np.flatnonzero(served.items["text"] != ""), 50, False)
    found = 0
    for item in drawn:
        words = served.items["text"][item].split()
        query = " ".join(words[: max(1, round(len(words) / 3))])
        answer = served.recommend(text=query, k=10)
        found += served.items["item_id"][item] in set(answer["item_id"])
    assert found >= 45


def test_a_request_finds_what_it_names_and_claims_no_more(served: ServedHybrid) -> None:
    answer = served.recommend(text="Star Wars", k=3)
    assert answer["title"][0].startswith("Star Wars")
    assert answer["reason"][0] == "Matches your request 'Star Wars' (wars, star)."
    for row in served.recommend(text="a wooden train", k=20).itertuples():
        named = {"wooden", "train"} & set(row.title.lower().replace("'", " ").split())
        assert named or row.reason.startswith(("Does not match", "Close in meaning"))
    nothing = served.recommend(text="zxqv", k=5)
    assert nothing["reason"].str.startswith("Does not match your request 'zxqv'.").all()


def test_a_copy_of_an_item_stands_beside_it(served: ServedHybrid) -> None:
    """For users who would be shown the original."""
    users = served.histories.user_ids[::10]
    lists = served.answer([Request(str(user)) for user in users], 10)
    apart = []
    # A few films are in the catalogue twice: a copy of them takes the mean of both.
    single = set(served.items["item_id"][~served.items["text"].duplicated(keep=False)])
    eligible = sorted(single & set(lists["item_id"]))
    for item in np.random.default_rng(0).choice(eligible, 10, replace=False):
        text = served.items["text"][served.items["item_id"] == item].iloc[0]
        shown = lists["request"][lists["item_id"] == item].unique()[:5]
        requests = [Request(str(users[user])) for user in shown]
        answer = served.answer(requests, 50, new_items={"copy": text})
        for _, own in answer.groupby("request"):
            rank = own.set_index("item_id")["rank"]
            apart.append(abs(int(rank[item]) - int(rank["copy"])))
    assert np.median(apart) <= 2
    assert max(apart) <= 6


def test_a_new_film_of_a_series_is_among_the_first_for_its_audience(served: ServedHybrid) -> None:
    series = ("Star Wars", "Empire Strikes Back", "Return of the Jedi")
    seen = served.items["item_id"][served.items["title"].str.startswith(series)].tolist()
    assert len(seen) == 3
    text = "Star Wars: The New Saga (1998). Action, Adventure, Romance, Sci-Fi, War."
    answer = served.recommend(item_ids=seen, k=10, new_items={"new": text})
    assert "new" in set(answer["item_id"])
