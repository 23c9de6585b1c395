"""Pairs of whole runs that start at the same moment in one project, on a fresh MLflow store.

``python -m tests.concurrent_runs PAIRS [PIPELINE ...]`` runs that many pairs on the same data and
as many on different data, and prints what was lost: runs that failed, runs without a complete
record or missing in MLflow, and runs whose results differ from those of a run alone.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path
from tempfile import TemporaryDirectory

from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from mlflow.tracking import MlflowClient
from tests.conftest import copy_project

from longtail import settings
from longtail.demo.fabricated import write_data, write_encoder

# Forked processes share the imports, which take longer than the runs.
FORK = get_context("fork")
# Both sessions of a pair would get this name.
VERSION = "2026-01-01T00.00.00.000Z"
# Files that hold times or what a run added to the cache of embeddings.
OF_THE_RUN = ("_trials", "encoding_speed", "evaluation_report", "new_embeddings")


@dataclass(frozen=True)
class Result:
    """What is the same in each run on the same data: hashes of the files, metrics of MLflow."""

    hashes: dict[str, str]
    metrics: dict[str, float]


def run(
    project: Path, data: Path, pipelines: list[str] | None, barrier: Barrier, name: str | None
) -> None:
    """Run pipelines as ``kedro run --env test`` does; with a name in a session of this name."""
    output = os.open(project / "output.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.environ["LONGTAIL_TEST_DATA"] = str(data)
    settings.PROJECT_ROOT = project
    os.chdir(project)
    bootstrap_project(project)
    barrier.wait()
    if name is not None:
        import kedro.framework.session.session as module  # noqa: PLC0415 the name is replaced in it

        module.generate_timestamp = lambda: name
    with KedroSession.create(project, env="test") as session:
        session.run(pipeline_names=pipelines)


def start(
    project: Path, data: Sequence[Path], pipelines: list[str] | None, name: str | None = None
) -> int:
    """Run once on each of the data sets at the same time; return how many runs failed."""
    barrier = FORK.Barrier(len(data))
    processes = [
        FORK.Process(target=run, args=(project, folder, pipelines, barrier, name))
        for folder in data
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    return sum(process.exitcode != 0 for process in processes)


def results(project: Path) -> list[Result]:
    """Return the complete runs of a project that MLflow knows as finished."""
    client = MlflowClient(f"sqlite:///{project}/mlflow.db")
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    tracked = {
        found.data.tags["run_id"]: found
        for found in client.search_runs(experiments, "tags.run_id LIKE '%'")
        if found.info.status == "FINISHED"
    }
    found = []
    for path in sorted((project / "data/test/.runs").glob("*.json")):
        record = json.loads(path.read_text(encoding="utf-8"))
        if record["status"] != "complete" or record["version"] not in tracked:
            continue
        hashes = {k: v for k, v in record["hashes"].items() if not k.endswith(OF_THE_RUN)}
        metrics = tracked[record["version"]].data.metrics
        # Costs and the use of the machine differ from run to run.
        kept = {k: v for k, v in metrics.items() if "_at_" in k and "milliseconds" not in k}
        found.append(Result(hashes, kept))
    return found


def make_data(folder: Path) -> tuple[list[Path], Path]:
    """Write two data sets and an encoder; return their folders."""
    data = []
    for seed in (0, 1):
        data.append(folder / f"data{seed}")
        write_data(data[-1], seed=seed)
    write_encoder(folder / "encoder")
    return data, folder / "encoder"


def count(folder: Path, pairs: int, pipelines: list[str] | None = None) -> dict[str, Counter[str]]:
    """Run pairs of both kinds; return how many runs failed, are missing and have other results.

    Args:
        folder: an empty folder.
        pairs: of each kind.
        pipelines: which to run, by default all.
    """
    data, encoder = make_data(folder)
    os.environ["LONGTAIL_TEST_ENCODER"] = str(encoder)
    alone = []
    for number, one in enumerate(data):
        project = copy_project(folder / f"alone{number}")
        start(project, [one], pipelines)
        alone += results(project)
    kinds = {"same data": (0, 0), "different data": (0, 1)}
    counts = {kind: Counter(runs=0, failed=0, missing=0, mixed=0) for kind in kinds}
    for pair, kind in product(range(pairs), kinds):
        chosen = kinds[kind]
        project = copy_project(folder / f"{kind.split()[0]}{pair}")
        (project / "data").mkdir()
        # Every other pair starts in the same millisecond.
        name = VERSION if pair % 2 else None
        failed = start(project, [data[n] for n in chosen], pipelines, name)
        found = results(project)
        expected = [alone[n] for n in chosen]
        missing = len(chosen) - len(found)
        # Results that are neither of the ones expected, or twice the same of two.
        mixed = len(found) - sum(min(found.count(one), expected.count(one)) for one in alone)
        counts[kind].update(runs=len(chosen), failed=failed, missing=missing, mixed=mixed)
        sys.stderr.write(f"{kind}, pair {pair + 1}: {dict(counts[kind])}\n")
        if failed or missing or mixed:
            sys.stderr.write((project / "output.txt").read_text(encoding="utf-8"))
    return counts


if __name__ == "__main__":
    with TemporaryDirectory() as temporary:
        found = count(Path(temporary), int(sys.argv[1]), sys.argv[2:] or None)
    for kind, counted in found.items():
        sys.stdout.write(f"{kind}: " + ", ".join(f"{n} {k}" for k, n in counted.items()) + "\n")
    sys.exit(sum(n for counted in found.values() for k, n in counted.items() if k != "runs"))
