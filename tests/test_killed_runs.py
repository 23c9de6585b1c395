"""Runs are killed before and inside each save; what they leave is never read as a result."""

import json
import subprocess
import sys
from pathlib import Path

from mlflow.tracking import MlflowClient
from tests.conftest import RunKedro

# Imports once, then kills one forked run after the other.
KILLER = """
import json, os, sys
from pathlib import Path

from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines, settings
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project

from longtail.hooks.tracking import TrackingHooks

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
            path = Path(dataset._get_versioned_path(dataset.resolve_save_version()))
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
    killed = [path for path, status in statuses(project).items() if status == "running"]
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
