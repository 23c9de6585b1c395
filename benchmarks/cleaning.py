"""Time cleaning and splitting on DuckDB against the same rules in plain pandas, in one run.

    python benchmarks/cleaning.py FOLDER [--engines duckdb pandas]

FOLDER holds interactions.csv and items.csv, for example from generate_log.py. Each engine runs in a
process of its own: from the files to clean and split Parquet tables. Prints seconds, peak memory
and the ratio, and fails where the two do not keep, reject and split the same rows.
"""

import argparse
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
            f"{engine:7s} {result['seconds']:7.1f} s  {result['peak_gb']:5.2f} GB peak  "
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
    """Run one engine in its own process; return seconds, peak memory in GB and counts."""
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
        "peak_gb": usage.ru_maxrss / 2**20,
        "counts": json.loads(output.splitlines()[-1]),
    }


def with_duckdb(folder: Path, target: Path) -> dict[str, int]:
    """Run the nodes of the project on the project's datasets."""
    from kedro.io import DataCatalog  # noqa: PLC0415
    from kedro.runner import SequentialRunner  # noqa: PLC0415
    from omegaconf import OmegaConf  # noqa: PLC0415

    from longtail.behaviour.signals import SignalPresets  # noqa: PLC0415
    from longtail.pipelines.behaviour_cleaning import create_pipeline  # noqa: PLC0415
    from longtail.pipelines.behaviour_cleaning.params import (  # noqa: PLC0415
        BehaviourCleaningParameters,
    )

    OmegaConf.register_new_resolver(
        "globals", {"source_folder": str(folder.resolve()), "data_root": str(target)}.get
    )
    entries = OmegaConf.load(ROOT / "conf/base/catalog_behaviour_cleaning.yml")
    entries = OmegaConf.to_container(entries, resolve=True)
    named = {name: entry for name, entry in entries.items() if not name.startswith("_")}
    catalog = DataCatalog.from_config(named, save_version="benchmark")
    presets = OmegaConf.load(ROOT / "conf/base/parameters_signals.yml").signal_presets
    catalog["params:signal_presets"] = SignalPresets(**OmegaConf.to_container(presets))
    catalog["params:behaviour_cleaning"] = BehaviourCleaningParameters(
        protocol="temporal", double_click_seconds=DOUBLE_CLICK_SECONDS
    )
    cleaning = create_pipeline().only_nodes("clean_behaviour", "split_interactions")
    SequentialRunner().run(cleaning, catalog)
    report, split = catalog.load("cleaning_report"), catalog.load("split")
    counts = {name: n for name, n in report["interactions"]["rejected_by_rule"].items() if n}
    return counts | {
        "rows_in": report["interactions"]["rows_in"],
        "rows_kept": report["interactions"]["rows_kept"],
        **{name: split[name] for name in ("n_train", "n_validation", "n_test")},
    }


def with_pandas(folder: Path, target: Path) -> dict[str, int]:
    """Apply the same rules in plain pandas."""
    items = pd.read_csv(folder / "items.csv", dtype="str").drop_duplicates("item_id")
    log = pd.read_csv(folder / "interactions.csv", dtype="str")
    time_of = pd.to_numeric(log["timestamp"], errors="coerce")
    rules = {
        "missing_user_id": log["user_id"].fillna("").str.strip() == "",
        "missing_item_id": log["item_id"].fillna("").str.strip() == "",
        "unknown_item": ~log["item_id"].isin(items["item_id"]),
        "unparsable_timestamp": log["timestamp"].notna() & time_of.isna(),
        "absurd_timestamp": (time_of < EARLIEST) | (time_of > time.time() + 86_400),
    }
    rule = pd.Series(
        np.select(list(rules.values()), list(rules), default=""), index=log.index, dtype="str"
    )
    events = log.assign(seconds=time_of, rule=rule)
    acceptable = events[events["rule"] == ""].sort_values([*KEYS, "event_type", "seconds"])
    same = acceptable.groupby([*KEYS, "event_type"], sort=False)["seconds"]
    gap = acceptable["seconds"] - same.shift()
    events.loc[gap.index[gap <= DOUBLE_CLICK_SECONDS], "rule"] = "double_click"
    events.loc[gap.index[gap == 0], "rule"] = "duplicate"
    events[events["rule"] != ""].to_parquet(target / "rejected.parquet")
    kept = events[events["rule"] == ""].sort_values(["user_id", "seconds", "item_id"])
    kept.drop(columns=["rule", "timestamp"]).assign(weight=1.0).to_parquet(target / "kept.parquet")
    items.sort_values("item_id").to_parquet(target / "items.parquet")
    pairs = kept.groupby(KEYS, as_index=False, sort=False)["seconds"].min()
    starts = pairs["seconds"].quantile([0.8, 0.9])
    period = np.searchsorted(starts, pairs["seconds"], side="right")
    sizes = {}
    for place, name in enumerate(("train", "validation", "test")):
        part = pairs[period == place].sort_values(["user_id", "seconds", "item_id"])
        part.assign(weight=1.0).to_parquet(target / f"{name}.parquet")
        sizes[f"n_{name}"] = len(part)
    counts = events["rule"].value_counts().to_dict()
    n_kept = counts.pop("")
    return counts | {"rows_in": len(log), "rows_kept": n_kept} | sizes


ENGINES = {"duckdb": with_duckdb, "pandas": with_pandas}

if __name__ == "__main__":
    sys.exit(main())
