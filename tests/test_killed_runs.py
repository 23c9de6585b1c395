"""Runs are killed before and during saves; what they leave behind is never read as a result."""

import json
import os
import subprocess
import sys
from pathlib import Path

from mlflow.tracking import MlflowClient
from tests.conftest import RunKedro

from longtail.datasets.embedding_cache import EmbeddingCacheDataset

# Imports once, then kills one forked run after the other.
KILLER = """
import json, os, sys
from pathlib import Path

from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines, settings
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project

from longtail.hooks.tracking import TrackingHooks
from longtail.private_interfaces import save_path

bootstrap_project(Path.cwd())
len(pipelines)


class Killer:
    def __init__(self, point):
        self.point, self.saves = point, 0

    @hook_impl
    def before_dataset_saved(self):
        self.saves += 1
        if self.point == ("before", self.saves):
            os._exit(9)

    @hook_impl
    def after_dataset_saved(self, dataset_name):
        if self.point == ("inside", self.saves):
            dataset = self.catalog[dataset_name]
            path = save_path(dataset)
            os.truncate(path, path.stat().st_size // 2)
            os._exit(9)

    @hook_impl
    def before_pipeline_run(self, catalog):
        self.catalog = catalog


codes = []
for number in range(1, 100):
    for moment in ("before", "inside"):
        child = os.fork()
        if child == 0:
            session = KedroSession.create(Path.cwd(), env="test")
            hooks = session._hook_manager
            hooks.unregister(next(h for h in hooks.get_plugins() if isinstance(h, TrackingHooks)))
            hooks.register(Killer((moment, number)))
            session.run(pipeline_names=["behaviour_cleaning"])
            os._exit(0)
        codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    if codes[-1] == 0:
        break
json.dump(codes, Path("codes.json").open("w"))
"""


def statuses(project: Path) -> dict[str, str]:
    records = (project / "data/test/.runs").glob("*.json")
    return {path.stem: json.loads(path.read_text())["status"] for path in records}


def test_killed_runs_are_never_read(project: Path, run_kedro: RunKedro) -> None:
    complete = run_kedro(pipelines=["behaviour_cleaning"])
    subprocess.run([sys.executable, "-c", KILLER], cwd=project, check=True, timeout=600)
    codes = json.loads((project / "codes.json").read_text())
    ran = [path for path, status in statuses(project).items() if status == "complete"]
    # The next run finds out that the one before was killed.
    unfinished = ("running", "killed")
    killed = [path for path, status in statuses(project).items() if status in unfinished]
    assert codes.count(9) == len(killed) >= 25
    assert codes.count(0) == len(ran) - 1

    for version in set(ran) - {complete}:
        record = project / f"data/test/.runs/{version}.json"
        record.write_text(record.read_text().replace('"complete"', '"running"'))
    encoding = run_kedro(pipelines=["item_encoding"])

    client = MlflowClient(f"sqlite:///{project}/mlflow.db")
    experiment = client.get_experiment_by_name("longtail").experiment_id
    (run,) = client.search_runs([experiment], f"tags.run_id = '{encoding}'")
    assert run.info.status == "FINISHED"
    assert {run.data.tags["in.items"], run.data.tags["in.train_interactions"]} == {complete}


# Kills the whole graph repeatedly; each run reuses what the one before had finished.
RESUMER = """
import json, os, signal, sys
from pathlib import Path

from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project

from longtail.hooks.tracking import TrackingHooks
from longtail.private_interfaces import save_path
from longtail.runs.runner import OnlyChangedRunner

# Nodes that a run may finish before it is killed, by the moment of the kill.
progress = {"inside": int(sys.argv[1]), "before": int(sys.argv[2])}
bootstrap_project(Path.cwd())
len(pipelines)


class Killer:
    def __init__(self, moment):
        self.moment, self.nodes, self.saves = moment, 0, 0

    @hook_impl
    def before_pipeline_run(self, catalog):
        self.catalog = catalog

    @hook_impl
    def before_node_run(self, node):
        self.nodes += bool(node.outputs)
        self.saves = 0

    @hook_impl
    def before_dataset_saved(self):
        if self.moment == "before" and self.nodes > progress["before"]:
            os.kill(os.getpid(), signal.SIGKILL)

    # Before the hook that records the node.
    @hook_impl(tryfirst=True)
    def after_dataset_saved(self, dataset_name, node):
        self.saves += 1
        late = self.nodes > progress["inside"] and self.saves == len(node.outputs)
        if self.moment == "inside" and late:
            dataset = self.catalog[dataset_name]
            path = save_path(dataset)
            os.truncate(path, path.stat().st_size // 2)
            os.kill(os.getpid(), signal.SIGKILL)


codes = []
while not codes or codes[-1] == -signal.SIGKILL:
    child = os.fork()
    if child == 0:
        session = KedroSession.create(Path.cwd(), env="test")
        hooks = session._hook_manager
        hooks.unregister(next(h for h in hooks.get_plugins() if isinstance(h, TrackingHooks)))
        hooks.register(Killer(("inside", "before")[len(codes) % 2]))
        session.run(runner=OnlyChangedRunner())
        os._exit(0)
    codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
json.dump(codes, Path("codes.json").open("w"))
"""
# Files that hold times: of fitting, of encoding, or of the report itself; and what a run added to
# the cache of embeddings, which is less where a killed run had added it before.
OF_THE_RUN = ("_trials", "encoding_speed", "evaluation_report", "new_embeddings")
CACHE = "data/test/04_feature/embedding_cache.parquet"


def contents(project: Path, version: str) -> dict[str, str]:
    """The hashes of all that a run saved and that is the same in each run."""
    record = json.loads((project / f"data/test/.runs/{version}.json").read_text())
    return {name: sha for name, sha in record["hashes"].items() if not name.endswith(OF_THE_RUN)}


def cached(project: Path) -> dict[str, list[float]]:
    """All embeddings by their keys."""
    table = EmbeddingCacheDataset(filepath=str(project / CACHE)).load()
    return {key: vector.tolist() for key, vector in zip(table["key"], table["vector"], strict=True)}


def test_killed_graph_is_resumed_until_it_is_complete(
    project: Path, finished_project_template: Path
) -> None:
    every = bool(os.environ.get("LONGTAIL_KILL_EVERY_NODE"))
    completed = subprocess.run(
        [sys.executable, "-c", RESUMER, *("01" if every else "22")],
        cwd=project,
        capture_output=True,
        text=True,
        check=True,
        timeout=1800,
    )
    codes = json.loads((project / "codes.json").read_text())
    assert codes[-1] == 0
    assert len(codes) - 1 >= (120 if every else 30)

    last = max(statuses(project))
    assert list(statuses(project).values()).count("complete") == 1
    assert statuses(project)[last] == "complete"
    (uninterrupted,) = statuses(finished_project_template)
    assert contents(project, last) == contents(finished_project_template, uninterrupted)
    assert cached(project) == cached(finished_project_template)
    warning = "was killed: its results are ignored"
    assert " ".join(completed.stderr.split()).count(warning) == len(codes) - 1
