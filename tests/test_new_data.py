"""The commands that make an environment for a folder of data and look at it."""

from pathlib import Path

import pandas as pd
import pytest
import yaml

from longtail.cli import cli


def run(*arguments: str) -> int:
    """Run a command of the project; return the exit code."""
    with pytest.raises(SystemExit) as ended:
        cli.main(list(arguments))
    assert isinstance(ended.value.code, int)
    return ended.value.code


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A German shop's export: semicolons, decimal commas, event types, zeros in front of ids."""
    folder = tmp_path / "a shop ${x}"
    folder.mkdir()
    rows = [
        (f"u{user}", f"{(user + step) % 12:04}", ("kauf", "Purchase")[step % 2], "1,5", "x",
         1_500_000_000 + 100_000 * step + user)
        for user in range(30) for step in range(8)
    ]  # fmt: skip
    columns = ["user_id", "item_id", "event_type", "quantity", "plays", "timestamp"]
    log = pd.DataFrame(rows, columns=columns)
    log.to_csv(folder / "interactions.csv", index=False, sep=";")
    items = pd.DataFrame({"item_id": [f"{i:04}" for i in range(12)], "title": "木制火车 abc"})
    items = items.assign(price="12,50")
    items.to_csv(folder / "items.csv", index=False, sep=";")
    return folder


def test_a_new_environment_and_what_was_understood(
    project: Path, shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("new-data", "shop", str(shop)) == 0
    said = capsys.readouterr().out
    for expected in (
        "interactions.csv: CSV, UTF-8, fields separated by semicolons.",
        "  items: Ids: item_id: numbers, 12 of 12 with zeros in front.",
        "  interactions: Ids: user_id: text; item_id: numbers, 240 of 240 with zeros in front.",
        "  items: Decimal commas are read in price.",
        "  interactions: Decimal commas are read in quantity.",
        "? interactions: Not used of the interactions file: plays.",
        "? interactions: quantity is filled in 240 rows but does not count",
        "? interactions: All event types count alike.",
        "  interactions: The times are calendar times (seconds) from 2017-07-14 to 2017-07-22.",
        "  interactions: 100.0% of 240 rows are kept.",
        "  items: 12 of 12 items have a usable text",
        "  kedro run --env=shop ",
    ):
        assert expected in said
    settings = yaml.safe_load((project / "conf/shop/globals.yml").read_text(encoding="utf-8"))
    assert settings["data_root"] == "data/shop"
    assert not [path for path in (project / "data/shop").rglob("*") if path.is_file()]
    # The new environment is read again, and refused a second time.
    assert run("check-data", "--env", "shop") == 0
    assert run("new-data", "shop", str(shop)) == 1
    assert "The environment shop exists" in capsys.readouterr().err


def test_what_cannot_be_an_environment_is_refused(
    project: Path, shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (shop / "items.csv").unlink()
    for name, folder, sentence in (
        ("base", shop, "The environment base exists"),
        ("../x", shop, "is not a name of an environment"),
        ("toys", shop, "holds no items.csv.gz, items.csv or items.parquet"),
        ("toys", shop / "nowhere", "does not exist"),
    ):
        assert run("new-data", name, str(folder)) == 1
        assert sentence in capsys.readouterr().err
    assert not (project / "conf/toys").exists()


@pytest.mark.usefixtures("project")
def test_files_that_cannot_be_used_end_with_the_sentence(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    items = pd.read_csv(shop / "items.csv", sep=";")
    items.assign(item_id="x").to_csv(shop / "items.csv", index=False)
    assert run("new-data", "shop", str(shop)) == 1
    said = capsys.readouterr()
    assert "Columns read: item_id, title, price." in said.out
    assert "unknown_item: 100.0% of the interactions file" in said.err
    assert "kedro check-data --env=shop" in said.err
