"""Make a tracked run again, from its recorded versions, parameters and code, and compare.

Everything happens in a scratch folder: neither the project's data nor its MLflow store change.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.io import DataCatalog
from mlflow.artifacts import load_dict
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from longtail.errors import UserError
from longtail.files import link_or_copy
from longtail.hooks.lineage import LINEAGE_FILE, git, package_versions
from longtail.hooks.versions import follows_newest

LEADERBOARD = "leaderboard"
# The scratch run is thrown away with its MLflow store.
NUMBERS_ONLY = {"log_model": False, "log_trials": False, "system_metrics": False}
KEY = ("model", "metric", "k", "item_group", "user_group")
# What the scratch run executes; it reads its order from the standard input.
RUNNER = """
import json, sys
from pathlib import Path
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
order = json.load(sys.stdin)
bootstrap_project(Path.cwd())
session = KedroSession.create(
    Path.cwd(), env=order["env"], runtime_params=order["parameters"]
)
session.run(pipeline_names=order["pipelines"], node_names=order["nodes"])
"""


@dataclass(frozen=True)
class Comparison:
    """How a leaderboard that was made again compares with the recorded one.

    Attributes:
        n_equal: values that are identical.
        different: rows of the recorded leaderboard with other numbers now, both versions.
        only_once: keys of rows that only one of them has.
        changes: what differs in the circumstances, as sentences.
    """

    n_equal: int
    different: list[tuple[dict[str, Any], dict[str, Any]]]
    only_once: list[tuple[Any, ...]]
    changes: list[str]

    @property
    def identical(self) -> bool:
        """Whether every number is the same."""
        return not self.different and not self.only_once


def reproduce(project: Path, client: MlflowClient, run_id: str) -> Comparison:
    """Make the leaderboard of a tracked run again.

    Args:
        project: the project's folder.
        client: of the MLflow store.
        run_id: the MLflow run.

    Raises:
        UserError: If the run is unknown or made no leaderboard, if a version that it read is gone,
            or if making it again fails.
    """
    run, lineage = recorded(client, run_id)
    with TemporaryDirectory(prefix="longtail-reproduce-") as folder:
        scratch = Path(folder) / "project"
        changes = [*check_out(project, scratch, lineage["code"]), *package_changes(lineage)]
        try:
            globals_, catalog = opened(project, lineage["env"])
            data_root = Path(folder) / "data"
            bring_inputs(catalog, lineage["inputs"], project / globals_["data_root"], data_root)
            overlays = {
                "globals": globals_ | {"data_root": str(data_root)},
                "tracking": NUMBERS_ONLY,
            }
            overlay(scratch, lineage["env"], overlays)
            execute(scratch, lineage)
            made = newest_leaderboard(data_root)
        finally:
            git(project, "worktree", "prune")
    rows: Any = load_dict(f"{run.info.artifact_uri}/{LEADERBOARD}.json")
    return compare(rows, made, changes)


def recorded(client: MlflowClient, run_id: str) -> tuple[Run, dict[str, Any]]:
    """Return a tracked run and its lineage.

    Raises:
        UserError: If there is no such run, or it has not recorded all that is needed.
    """
    try:
        run = client.get_run(run_id)
    except MlflowException as error:
        raise UserError(
            f"There is no MLflow run {run_id}: `make mlflow` shows the runs and their ids."
        ) from error
    files = {artifact.path for artifact in client.list_artifacts(run_id)}
    if LINEAGE_FILE not in files:
        raise UserError(f"The run {run_id} has no {LINEAGE_FILE}: it did not finish.")
    if f"{LEADERBOARD}.json" not in files:
        raise UserError(
            f"The run {run_id} made no leaderboard: take a run of the pipeline evaluation."
        )
    return run, load_dict(f"{run.info.artifact_uri}/{LINEAGE_FILE}")


def check_out(project: Path, scratch: Path, code: Mapping[str, str]) -> list[str]:
    """Put the recorded code into a scratch project; return what of it is not as recorded."""
    revision = code.get("git.revision")
    done = revision and git(project, "worktree", "add", "--detach", str(scratch), revision)
    changes = []
    if done is None or not revision:
        changes.append(
            f"The code of revision {revision} is gone, the present code is used."
            if revision
            else "The run has no git revision, the present code is used."
        )
        for name in ("src", "conf"):
            shutil.copytree(project / name, scratch / name)
        shutil.copy(project / "pyproject.toml", scratch / "pyproject.toml")
    elif code.get("git.dirty") == "true":
        changes.append(f"The run's code had changes that revision {revision} does not hold.")
    return changes


def package_changes(lineage: Mapping[str, Any]) -> list[str]:
    """Say which packages have other versions now."""
    then, now = lineage["packages"], package_versions()
    names = sorted(name for name in then if now.get(name) != then[name] and name != "longtail")
    return [f"{name} was {then[name]}, is {now.get(name, 'not installed')}." for name in names]


def opened(project: Path, env: str | None) -> tuple[dict[str, Any], DataCatalog]:
    """Return the resolved globals and the catalog of an environment."""
    bootstrap_project(project)
    with KedroSession.create(project, env=env) as session:
        context: Any = session.load_context()  # type: ignore[attr-defined]
        return dict(context.config_loader["globals"]), context.catalog


def bring_inputs(
    catalog: DataCatalog, versions: Mapping[str, str], data_root: Path, target: Path
) -> None:
    """Put the recorded versions of the inputs into another data root.

    Raises:
        UserError: If one of them is gone.
    """
    for name, version in versions.items():
        entry = next(entry for entry in (name, f"{name}@pandas") if catalog.get(entry) is not None)
        dataset: Any = catalog[entry]
        folder = Path(dataset._filepath)
        if (folder / version).is_dir():
            # The embedding cache reads all of its versions, everything else one.
            wanted = [folder / version] if follows_newest(dataset) else list(folder.iterdir())
            for path in wanted:
                copied = target / path.relative_to(data_root)
                shutil.copytree(path, copied, copy_function=link_or_copy)
        elif follows_newest(dataset):
            raise UserError(f"The version {version} of '{name}', which the run read, is gone.")
        elif dataset.resolve_load_version() != version:
            raise UserError(
                f"The input '{name}' has changed: the run read content {version},"
                f" it is {dataset.resolve_load_version()} now."
            )


def overlay(scratch: Path, env: str | None, files: Mapping[str, Mapping[str, bool | str]]) -> None:
    """Overlay files of the configuration with values for an environment."""
    folder = scratch / "conf" / (env or "local")
    folder.mkdir(parents=True, exist_ok=True)
    for name, values in files.items():
        (folder / f"{name}.yml").write_text(yaml.safe_dump(dict(values)), encoding="utf-8")


def execute(scratch: Path, lineage: Mapping[str, Any]) -> None:
    """Run the recorded pipelines in the scratch project.

    Raises:
        UserError: If they fail.
    """
    order = {name: lineage[name] for name in ("env", "pipelines", "nodes", "parameters")}
    completed = subprocess.run(
        [sys.executable, "-c", RUNNER],
        cwd=scratch,
        env=os.environ | {"PYTHONPATH": str(scratch / "src")},
        input=json.dumps(order),
        stdout=sys.stderr,
        text=True,
        check=False,
    )
    if completed.returncode != 0:
        raise UserError("Making the run again failed; the reason is above.")


def newest_leaderboard(data_root: Path) -> list[dict[str, Any]]:
    """Return the leaderboard that the scratch run has saved."""
    path = max(data_root.glob(f"08_reporting/{LEADERBOARD}.json/*/{LEADERBOARD}.json"))
    rows: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return rows


def compare(
    then: Iterable[dict[str, Any]], now: Iterable[dict[str, Any]], changes: list[str]
) -> Comparison:
    """Compare two leaderboards number by number."""
    before = {tuple(row[name] for name in KEY): row for row in then}
    after = {tuple(row[name] for name in KEY): row for row in now}
    common = [key for key in before if key in after]
    different = [(before[key], after[key]) for key in common if before[key] != after[key]]
    only_once = sorted(set(before) ^ set(after), key=str)
    return Comparison(len(common) - len(different), different, only_once, changes)


def report(comparison: Comparison) -> str:
    """Say whether every number is identical, and what differs."""
    lines = list(comparison.changes)
    if comparison.identical:
        lines.append(f"Identical: all {comparison.n_equal} rows of the leaderboard.")
        return "\n".join(lines)
    lines.append(
        f"Not identical: {len(comparison.different)} rows differ,"
        f" {len(comparison.only_once)} are in one leaderboard only,"
        f" {comparison.n_equal} are equal."
    )
    for before, after in comparison.different[:10]:
        key = " ".join(str(before[name]) for name in KEY if before[name] is not None)
        lines.append(f"  {key}: {before['value']} then, {after['value']} now")
    return "\n".join(lines)
