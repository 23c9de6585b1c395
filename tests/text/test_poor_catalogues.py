"""Catalogues with no or poor text: the run ends well, and text carries no evidence."""

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

SHAPES = {
    "only ids": lambda items: items[["item_id"]],
    "stop words": lambda items: plain(items, "the of and"),
    "same text": lambda items: plain(items, "red ball"),
    "one word": lambda items: plain(items, "ball"),
    "emoji": lambda items: plain(items, "🎈🎈"),
    "single letters": lambda items: plain(items, [chr(97 + n % 26) for n in range(len(items))]),
    "digits": lambda items: plain(items, [str(n) for n in range(len(items))]),
    "punctuation": lambda items: plain(items, "--- !?"),
    "one item": lambda items: plain(items, ["wooden train"] + [""] * (len(items) - 1)),
    "two items": lambda items: plain(items, ["wooden train", "red ball"] + [""] * (len(items) - 2)),
    "only brand": lambda items: items[["item_id"]].assign(brand="acme"),
}


def plain(items: pd.DataFrame, title: object) -> pd.DataFrame:
    return items[["item_id"]].assign(title=title)


WHOLE_RUN = ["only ids", "same text"]


@pytest.mark.parametrize(
    ("shape", "whole"),
    [
        *((shape, False) for shape in SHAPES if shape not in WHOLE_RUN),
        *((name, True) for name in WHOLE_RUN),
    ],
)
def test_the_run_ends_well(
    project: Path,
    run_kedro: Callable[..., str],
    fabricated_data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    shape: str,
    whole: bool,
) -> None:
    folder = tmp_path / "poor"
    folder.mkdir()
    items = pd.read_csv(fabricated_data / "items.csv", dtype=str)
    SHAPES[shape](items).to_csv(folder / "items.csv", index=False)
    log = pd.read_csv(fabricated_data / "interactions.csv", dtype=str)
    log.to_csv(folder / "interactions.csv", index=False)
    monkeypatch.setenv("LONGTAIL_TEST_DATA", str(folder))
    run_kedro(pipelines=None if whole else ["behaviour_cleaning", "item_encoding"])
    if not whole:
        return
    (leaderboard,) = project.rglob("data/08_reporting/leaderboard.json/*/leaderboard.json")
    rows = json.loads(leaderboard.read_text("utf-8"))
    assert {"als", "hybrid", "popularity"} <= {row["model"] for row in rows}
    assert all(row["value"] is None or row["value"] == row["value"] for row in rows)
