"""The same cleaning and splitting on DuckDB and on Spark give the same tables."""

import json
import os
import shutil
from pathlib import Path

import pandas as pd
import pytest
import yaml
from kedro.io import DataCatalog
from kedro.runner import SequentialRunner

from longtail.behaviour.origins import RepeatParameters
from longtail.datasets import SourceTableDataset
from longtail.demo.fabricated import fabricate
from longtail.pipelines.behaviour_cleaning.params import BehaviourCleaningParameters
from longtail.pipelines.behaviour_cleaning.pipeline import create_pipeline
from longtail.runs.spark import start_spark

CONF = Path(__file__).parents[2] / "conf"
TABLES = ("interactions", "items", "train_interactions", "validation_interactions",
          "test_interactions", "fold_in_interactions")  # fmt: skip
KEY = "a key that nobody guesses"


@pytest.fixture(scope="module")
def java():
    """Spark and Java; without them the test is skipped, in continuous integration it fails."""
    has_spark = _has_pyspark()
    if has_spark and (shutil.which("java") or os.environ.get("JAVA_HOME")):
        settings = yaml.safe_load((CONF / "spark/spark.yml").read_text("utf-8"))
        start_spark(settings, CONF / "spark/log4j2.properties")
        return
    message = (
        "This test needs Spark in local mode: install the extra 'spark' (pip install "
        "'longtail[spark]') and the Debian package openjdk-17-jre-headless."
    )
    if has_spark and os.environ.get("LONGTAIL_REQUIRE_SYSTEM_PACKAGES"):
        pytest.fail(message)
    pytest.skip(message)


def _has_pyspark():
    try:
        import pyspark  # noqa: F401, PLC0415
    except ImportError:
        return False
    return True


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A shop with several kinds of events, repeats and rows that rules reject."""
    folder = tmp_path_factory.mktemp("shop")
    log, items = fabricate(n_users=60, n_items=40)
    log["event_type"] = (
        pd.Series(["view", "purchase", "add_to_cart", "return"]).reindex(log.index % 4).to_numpy()
    )
    log["quantity"] = log.index % 3 + 1
    log["dwell_seconds"] = log.index % 90
    log = log.astype("str")
    bad = log.head(6).copy()
    bad["user_id"] = [None, "u001", "u001", "u002", "u003", "u004"]
    bad["item_id"] = [*bad["item_id"][:1], "nowhere", "post", *bad["item_id"][3:]]
    bad.loc[bad.index[3], "timestamp"] = "1066-10-14"
    bad.loc[bad.index[4], "rating"] = "good"
    bad.loc[bad.index[5], "timestamp"] = "2021-05-01T10:00:00+02:00"
    log = pd.concat([log, bad, log.tail(20), log.tail(9).assign(user_id="u005")])
    items.loc[0, "title"] = "<b>Salt</b> &amp; pepper"
    items.loc[len(items)] = {"item_id": "post", "title": "Postage"}
    log.to_csv(folder / "interactions.csv", index=False)
    items.to_csv(folder / "items.csv", index=False)
    return folder


def run(folder, target, env, pseudonyms=False, **parameters):
    engine = yaml.safe_load((CONF / env / "globals.yml").read_text("utf-8"))["engine"]
    text = (CONF / "base/behaviour_cleaning/catalog.yml").read_text("utf-8")
    text = text.replace("${globals:source_folder}", str(folder))
    text = text.replace("${globals:data_root}", str(target))
    entries = yaml.safe_load(text.replace("${globals:engine}", json.dumps(engine)))
    entries = {name: entry for name, entry in entries.items() if not name.startswith("_")}
    credentials = {}
    if pseudonyms:
        entries["raw_interactions"] |= {"pseudonymise": "user_id", "credentials": "pseudonyms"}
        credentials = {"pseudonyms": {"pseudonym_key": KEY}}
    catalog = DataCatalog.from_config(entries, credentials, save_version="2026-01-01T00.00.00.000Z")
    parameters = {"min_evaluated_users": 1, "non_product_patterns": ["^post"]} | parameters
    presets = yaml.safe_load((CONF / "base/globals_signals.yml").read_text("utf-8"))
    catalog["params:repeat"] = RepeatParameters()
    catalog["params:data_set"] = "toys"
    catalog["params:behaviour_cleaning"] = BehaviourCleaningParameters(
        **parameters, signal_presets=presets["signal_presets"]
    )
    SequentialRunner().run(create_pipeline(), catalog)
    return catalog


@pytest.mark.usefixtures("java")
@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"preset": "shop", "k_core": 2, "protocol": "per_user"},
        {"preset": "video", "protocol": "user_cold", "bots": {"method": "robust_z"}},
        {"protocol": "item_cold", "hidden_share": 0.25, "pseudonyms": True},
    ],
    ids=["default", "per_user", "user_cold", "item_cold and pseudonyms"],
)
def test_both_engines_give_the_same_tables(shop, tmp_path, parameters):
    duckdb = run(shop, tmp_path / "duckdb", "base", **parameters)
    spark = run(shop, tmp_path / "spark", "spark", **parameters)
    for name in TABLES:
        ours, theirs = (
            pd.read_parquet(catalog[f"{name}@ibis"]._get_load_path()) for catalog in (duckdb, spark)
        )
        pd.testing.assert_frame_equal(ours, theirs, check_dtype=False, rtol=1e-5)
    users = duckdb.load("user_groups")["user_id"]
    assert set(users.str.len()) == ({32} if parameters.get("pseudonyms") else {4})
    for name in ("item_groups", "user_groups"):
        pd.testing.assert_frame_equal(duckdb.load(name), spark.load(name))
    for name in ("rejected_interactions", "rejected_items"):
        ours, theirs = duckdb.load(name).to_pandas(), spark.load(name).to_pandas()
        pd.testing.assert_frame_equal(ours, theirs, check_dtype=False)
    assert json.dumps(duckdb.load("cleaning_report")) == json.dumps(spark.load("cleaning_report"))
    ours, theirs = duckdb.load("split"), spark.load("split")
    if not parameters:
        assert ours == theirs
    assert ours | {"fingerprint": ""} == theirs | {"fingerprint": ""}


@pytest.mark.usefixtures("java")
@pytest.mark.parametrize("kind", ["parquet", "csv", "csv.gz"])
@pytest.mark.parametrize("folders", [("", ""), ("year=007/", "year=__HIVE_DEFAULT_PARTITION__/")])
def test_both_engines_read_folders_of_parts_alike(tmp_path, kind, folders):
    table = tmp_path / "run=7 [a]" / f"items.{kind}"
    parts = [pd.DataFrame({"item_id": [1, 2], "title": ["a", "b,c"]}),
             pd.DataFrame({"item_id": [3], "title": ["c"]})]  # fmt: skip
    for number, (folder, part) in enumerate(zip(folders, parts, strict=True)):
        (table / folder).mkdir(parents=True, exist_ok=True)
        path = table / folder / f"part-0000{number}.{kind}"
        part.to_parquet(path) if kind == "parquet" else part.to_csv(path, index=False)
    (table / "_SUCCESS").touch()
    (table / "notes.txt").write_text("no part of the table")
    read = [
        SourceTableDataset(folder=str(table.parent), stem="items", connection={"backend": engine})
        .load()
        .to_pandas()
        .sort_values("item_id", ignore_index=True)
        for engine in ("duckdb", "pyspark")
    ]
    pd.testing.assert_frame_equal(*read, check_dtype=False)
    assert read[0]["item_id"].tolist() == ["1", "2", "3"]
    if folders[0]:
        assert read[0]["year"].tolist()[:2] == ["007", "007"]
        assert read[0]["year"].isna().tolist() == [False, False, True]


@pytest.mark.usefixtures("java")
def test_a_run_in_the_spark_environment_is_recorded_whole_and_quiet(
    shop, project, run_kedro, monkeypatch, capfd
):
    monkeypatch.setenv("LONGTAIL_DATA", str(shop))
    small = {"behaviour_cleaning": {"min_evaluated_users": 1}}
    version = run_kedro(pipelines=["behaviour_cleaning"], env="spark", params=small)
    record = json.loads((project / f"data/.runs/{version}.json").read_text("utf-8"))
    assert record["status"] == "complete"
    assert {"interactions", "train_interactions", "split"} <= set(record["hashes"])
    printed = capfd.readouterr()
    assert "WARN" not in printed.out + printed.err
