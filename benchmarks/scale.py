"""Time each node of the pipelines and its peak memory on synthetic logs of growing size.

    python benchmarks/scale.py FOLDER [--sizes 10000,5000,500000 20000,10000,1000000]
        [--trials 1] [--encoder minilm] [--everything]

A size is users, items and rows of the log. Each is one ``kedro run`` in a copy of the project below
FOLDER, from the raw log to the top-100 lists of the hybrid for every user (protocol ``per_user``),
with the sources of the hybrid as the only models; ``--everything`` adds the lists of the sources,
reasons and evaluation. The time to encode the texts is reported separately, since it depends on the
language model and the number of items alone. The steps of each size are saved as ``steps.csv``. The
full size is ``--sizes 100000,50000,5000000``.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import psutil
import yaml
from generate_log import write_log

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = "scale"
PIPELINES = "behaviour_cleaning,item_encoding,als_baseline,recommenders,hybrid_scoring,evaluation"
STEP = re.compile(r"\[\d+/\d+\] (\S+)\s*$")
HYBRID_LISTS = "recommendations_hybrid"
ENCODING = "encode_new_texts"
SHORTEST = 1.0


@dataclass
class Step:
    """One node of a run: wall-clock and CPU seconds, and peak memory."""

    name: str
    seconds: float
    cpu_seconds: float
    peak_gb: float


def main() -> None:
    """Run each size and print the steps side by side."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sizes", nargs="+", default=["10000,5000,500000", "20000,10000,1000000"])
    parser.add_argument("--trials", type=int, default=1)
    parser.add_argument("--encoder", default="minilm")
    parser.add_argument("--everything", action="store_true")
    options = parser.parse_args()
    runs = {}
    for size in options.sizes:
        n_users, n_items, n_rows = (int(number) for number in size.split(","))
        name = f"{n_users:,} x {n_items:,}, {n_rows:,}"
        project = copy_project(options.folder / size.replace(",", "-"))
        write_log(project / "log", n_rows, 0, n_users, n_items)
        configure(project, options.trials, options.encoder)
        runs[name] = measure(project, options.everything)
        pd.DataFrame(runs[name]).to_csv(project / "steps.csv", index=False)
        print(f"\nusers x items, rows: {name}\n{summary(runs[name])}", flush=True)
    print(f"\nSeconds of each step of {SHORTEST:g} s or more\n{side_by_side(runs, 'seconds')}")
    print(f"\nCPU seconds\n{side_by_side(runs, 'cpu_seconds')}")
    print(f"\nPeak memory in GB\n{side_by_side(runs, 'peak_gb')}")


def copy_project(target: Path) -> Path:
    """Copy code and configuration into an empty folder."""
    shutil.rmtree(target, ignore_errors=True)
    (target / "log").mkdir(parents=True)
    for name in ("conf", "src"):
        shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", target)
    return target


def configure(project: Path, trials: int, encoder: str) -> None:
    """Write an environment: the log, the sources of the hybrid as models, and the budget."""
    contents = {
        "globals": {"source_folder": str((project / "log").resolve()), "data_root": "data/scale"},
        "parameters": {
            "behaviour_cleaning": {"protocol": "per_user"},
            "item_encoding": {"encoder": {"model": encoder}},
            "recommenders": {"fitted": []},
            "tuning": {"trials": trials},
        },
    }
    folder = project / "conf" / ENVIRONMENT
    folder.mkdir()
    for name, content in contents.items():
        (folder / f"{name}.yml").write_text(yaml.safe_dump(content), encoding="utf-8")


def measure(project: Path, everything: bool) -> list[Step]:
    """Run the pipelines in a separate process; return the start-up and the nodes as steps.

    The last step includes tracking and the registration of the model.

    Raises:
        SystemExit: the run failed.
    """
    command = [sys.executable, "-m", "kedro", "run", f"--env={ENVIRONMENT}"]
    command += [f"--pipelines={PIPELINES}"]
    command += [] if everything else [f"--to-outputs={HYBRID_LISTS}"]
    environment = os.environ | {"PYTHONPATH": str(project / "src")}
    process = subprocess.Popen(
        command,
        cwd=project,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    steps, name, started, used = [], "start", time.perf_counter(), 0.0
    log = (project / "log.txt").open("w", encoding="utf-8", buffering=1)
    for line in process.stdout:
        log.write(line)
        if found := STEP.search(line):
            now, times = time.perf_counter(), psutil.Process(process.pid).cpu_times()
            busy = times.user + times.system
            steps.append(Step(name, now - started, busy - used, take_peak_gb(process.pid)))
            name, started, used = found[1], now, busy
    log.close()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"The run failed, see {log.name}")
    busy = usage.ru_utime + usage.ru_stime
    peak = usage.ru_maxrss / 2**20
    steps.append(Step(name, time.perf_counter() - started, busy - used, peak))
    return steps


def take_peak_gb(process: int) -> float:
    """Return the peak memory of a process since the last call (Linux)."""
    folder = Path("/proc", str(process))
    status = (folder / "status").read_text(encoding="ascii")
    (folder / "clear_refs").write_text("5", encoding="ascii")
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 2**20


def summary(steps: list[Step]) -> str:
    """Return the totals of a run in one line."""
    total = sum(step.seconds for step in steps)
    encoding = sum(step.seconds for step in steps if step.name == ENCODING)
    busy = sum(step.cpu_seconds for step in steps)
    peak = max(step.peak_gb for step in steps)
    return (
        f"{total:.0f} s ({busy:.0f} CPU s), of which {encoding:.0f} s for encoding the texts and"
        f" {total - encoding:.0f} s for the rest; {peak:.2f} GB peak"
    )


def side_by_side(runs: dict[str, list[Step]], value: str) -> str:
    """Return a table of the longer steps with a column for each size."""
    columns = {
        name: pd.Series({step.name: getattr(step, value) for step in steps})
        for name, steps in runs.items()
    }
    longest = pd.DataFrame(
        {name: {step.name: step.seconds for step in steps} for name, steps in runs.items()}
    ).max(axis=1)
    table = pd.DataFrame(columns).reindex(next(iter(columns.values())).index)
    return table[longest.reindex(table.index) >= SHORTEST].to_string(
        float_format=lambda number: f"{number:.1f}"
    )


if __name__ == "__main__":
    main()
