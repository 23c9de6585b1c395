"""Compare cleaning and splitting on DuckDB with the same rules in plain pandas.

    python benchmarks/cleaning.py FOLDER [--engines duckdb pandas]

FOLDER holds interactions.csv and items.csv, for example from generate_log.py. Each engine runs in a
separate process, from the files to cleaned and split Parquet tables. Prints wall-clock and CPU
seconds, peak memory and the speed-up, and fails if the engines differ in the rows that they keep,
reject or put into each split (compared by the fingerprint of the split).
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
EARLIEST = 631_152_000
DOUBLE_CLICK_SECONDS = 2
KEYS = ["user_id", "item_id"]
TEXTS = ("title", "description", "categories", "brand")
SPLITS = ("train", "validation", "test")


def main() -> int:
    """Run the engines one after the other and compare them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--engines", nargs="+", default=["duckdb", "pandas"], choices=ENGINES)
    parser.add_argument("--alone", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.alone:
        with TemporaryDirectory(dir=options.folder) as target:
            print(json.dumps(ENGINES[options.alone](options.folder, Path(target))))
        return 0
    results = {engine: measure(engine, options.folder) for engine in options.engines}
    for engine, result in results.items():
        print(
            f"{engine:7s} {result['seconds']:7.1f} s  {result['cpu_seconds']:7.1f} CPU s  "
            f"{result['peak_gb']:5.2f} GB peak  "
            f"{result['counts']['rows_in']:,} rows in, {result['counts']['rows_kept']:,} kept"
        )
    if len(results) < 2:
        return 0
    ours, theirs = results["duckdb"], results["pandas"]
    print(f"DuckDB is {theirs['seconds'] / ours['seconds']:.1f} times as fast as pandas")
    if ours["counts"] != theirs["counts"]:
        print(f"The engines differ: {ours['counts']} and {theirs['counts']}")
        return 1
    return 0


def measure(engine: str, folder: Path) -> dict[str, Any]:
    """Run an engine in a separate process; return seconds, peak memory in GB and counts."""
    command = [sys.executable, __file__, str(folder), "--alone", engine]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{engine} failed")
    return {
        "seconds": time.perf_counter() - started,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "peak_gb": usage.ru_maxrss / 2**20,
        "counts": json.loads(output.splitlines()[-1]),
    }


def with_duckdb(folder: Path, target: Path) -> dict[str, Any]:
    """Run the nodes of the project on the project's datasets."""
    from kedro.io import DataCatalog  # noqa: PLC0415
    from kedro.runner import SequentialRunner  # noqa: PLC0415
    from omegaconf import OmegaConf  # noqa: PLC0415

    from longtail.behaviour.origins import RepeatParameters  # noqa: PLC0415
    from longtail.pipelines.behaviour_cleaning.params import BehaviourCleaningParameters  # noqa: PLC0415
    from longtail.pipelines.behaviour_cleaning.pipeline import create_pipeline  # noqa: PLC0415

    OmegaConf.register_new_resolver(
        "globals",
        {
            "source_folder": str(folder.resolve()),
            "data_root": str(target),
            "engine": {"backend": "duckdb", "memory_limit": "4GB"},
        }.get,
    )
    entries = OmegaConf.load(ROOT / "conf/base/behaviour_cleaning/catalog.yml")
    entries = OmegaConf.to_container(entries, resolve=True)
    named = {name: entry for name, entry in entries.items() if not name.startswith("_")}
    catalog = DataCatalog.from_config(named, save_version="benchmark")
    catalog["params:behaviour_cleaning"] = BehaviourCleaningParameters(
        protocol="temporal", double_click_seconds=DOUBLE_CLICK_SECONDS
    )
    catalog["params:repeat"] = RepeatParameters()
    cleaning = create_pipeline().only_nodes(
        "behaviour_cleaning.clean_behaviour", "behaviour_cleaning.split_interactions"
    )
    SequentialRunner().run(cleaning, catalog)
    report, split = catalog.load("cleaning_report"), catalog.load("split")
    counts = {name: n for name, n in report["interactions"]["rejected_by_rule"].items() if n}
    return counts | {
        "rows_in": report["interactions"]["rows_in"],
        "rows_kept": report["interactions"]["rows_kept"],
        **{name: split[name] for name in ("n_train", "n_validation", "n_test", "fingerprint")},
        "evaluated_users": report["evaluation"]["evaluated_users"],
    }


def with_pandas(folder: Path, target: Path) -> dict[str, Any]:
    """Apply the same rules in plain pandas, ids as categories, and write the same tables."""
    items = pandas_items(folder, target)
    log = pd.read_csv(folder / "interactions.csv", dtype="str")
    as_read = list(log.columns)
    log = log.assign(seconds=pd.to_numeric(log["timestamp"], errors="coerce").astype("Int64"))
    rules = {
        "missing_user_id": is_blank(log["user_id"]),
        "missing_item_id": is_blank(log["item_id"]),
        "unknown_item": ~log["item_id"].isin(items["item_id"]),
        "unparsable_timestamp": ~is_blank(log["timestamp"]) & log["seconds"].isna(),
        "implausible_timestamp": ~log["seconds"]
        .between(EARLIEST, time.time() + 86_400)
        .fillna(True),
        "missing_timestamp": log["seconds"].isna(),
    }
    log["rule"] = np.select([rule.to_numpy(dtype=bool) for rule in rules.values()], list(rules), "")
    for name in (*KEYS, "event_type"):
        log[name] = log[name].astype("category")
    codes = {name: log[name].cat.codes.astype("int64") for name in (*KEYS, "event_type")}
    pair = codes["user_id"] * (codes["item_id"].max() + 1) + codes["item_id"]
    log["pair"] = pair
    log["same"] = pair * (codes["event_type"].max() + 2) + codes["event_type"]
    acceptable = log.loc[log["rule"] == "", ["same", "seconds"]].astype("int64")
    acceptable = acceptable.sort_values(["same", "seconds"])
    gap = acceptable["seconds"].diff()[acceptable["same"].diff() == 0]
    log.loc[gap.index[gap <= DOUBLE_CLICK_SECONDS], "rule"] = "double_click"
    log.loc[gap.index[gap == 0], "rule"] = "duplicate"
    rejected = log.loc[log["rule"] != "", [*as_read, "rule"]]
    rejected = rejected.assign(reason="Because of " + rejected["rule"])
    rejected.sort_values([*as_read, "rule"]).to_parquet(target / "rejected.parquet")
    kept = log[log["rule"] == ""].astype({"seconds": "int64"})
    kept = kept.sort_values(["user_id", "seconds", "item_id", "event_type"])
    written = kept[[*KEYS, "event_type", "seconds"]].assign(rating=np.nan, weight=1.0)
    written.to_parquet(target / "kept.parquet")
    counts = log["rule"].value_counts().to_dict()
    kept["event_type"].value_counts()
    counts |= {"rows_in": len(log), "rows_kept": counts.pop("")}
    # Rows are sorted by time, so the first of a pair is its first interaction.
    pairs = kept.drop_duplicates("pair")[[*KEYS, "seconds"]]
    return counts | pandas_split(pairs, target)


def is_blank(texts: pd.Series) -> pd.Series:
    """Return whether texts are null, empty or blank."""
    return texts.fillna("").str.strip() == ""


def pandas_items(folder: Path, target: Path) -> pd.DataFrame:
    """Keep the row of each item with the most filled fields and clean its texts."""
    from longtail.behaviour.cleaning.texts import clean_texts  # noqa: PLC0415

    raw = pd.read_csv(folder / "items.csv", dtype="str")
    raw["filled"] = raw.notna().sum(axis=1)
    best_first = raw.sort_values(["item_id", "filled"], ascending=[True, False])
    repeated = best_first.duplicated("item_id") | is_blank(best_first["item_id"])
    best_first[repeated].to_parquet(target / "rejected_items.parquet")
    items = best_first[~repeated].drop(columns="filled")
    texts = {name: clean_texts(items[name].fillna("")) for name in TEXTS if name in items}
    items = items.assign(**texts, price=pd.to_numeric(items["price"], errors="coerce"))
    items.to_parquet(target / "items.parquet")
    return items


def pandas_split(pairs: pd.DataFrame, target: Path) -> dict[str, Any]:
    """Split by time, write the tables, count evaluated users and compute the fingerprint."""
    starts = np.ceil(pairs["seconds"].quantile([0.8, 0.9]))
    period = np.searchsorted(starts, pairs["seconds"], side="right")
    digest, counts = hashlib.sha256(), {}
    for place, name in enumerate(SPLITS):
        part = pairs[period == place].assign(weight=1.0)
        part.to_parquet(target / f"{name}.parquet")
        counts[f"n_{name}"] = len(part)
        ids = part["user_id"].astype("str") + "\t" + part["item_id"].astype("str")
        rows = ids + "\t" + part["seconds"].astype("str") + "\t1000000\n"
        digest.update("".join(rows).encode() + b"\n")
    users = pairs["user_id"].cat.codes
    evaluated = np.intersect1d(users[period < 2], users[period == 2])
    return counts | {
        "evaluated_users": len(evaluated),
        "fingerprint": digest.hexdigest(),
    }


ENGINES = {"duckdb": with_duckdb, "pandas": with_pandas}

if __name__ == "__main__":
    sys.exit(main())
