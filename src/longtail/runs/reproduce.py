"""Repeats a tracked run from its recorded versions, parameters and code, and compares the results.

Everything happens in a temporary folder: the project's data and its MLflow store do not change.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from kedro.framework.context import KedroContext
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.io import DataCatalog
from mlflow.artifacts import load_dict
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from longtail.errors import UserError
from longtail.files import link_or_copy
from longtail.installed_packages import package_versions
from longtail.private_interfaces import VersionedDataset, catalog_with_versions, file_path
from longtail.runs.lineage import LINEAGE_FILE, encoder_precision, git
from longtail.runs.records import RunRecords
from longtail.runs.versions import follows_newest

LEADERBOARD = "leaderboard"
# The MLflow store of the copy is deleted with it.
NUMBERS_ONLY = {"log_model": False, "log_trials": False, "system_metrics": False}
KEY = ("model", "metric", "k", "item_group", "user_group")
# The program that runs in the copy; its standard input says what to run.
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
    """How the leaderboard of a repeated run compares with the recorded one.

    Attributes:
        n_equal: values that are identical.
        different: rows whose numbers differ, as recorded and as repeated.
        only_once: keys of rows that only one of the leaderboards has.
        changes: what differs in code, packages or precision, as sentences.
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
    """Repeat a tracked run and compare its leaderboard with the recorded one.

    Args:
        project: the project's folder.
        client: of the MLflow store.
        run_id: the MLflow run.

    Raises:
        UserError: If the run is unknown or has no leaderboard, if a version that it read no longer
            exists or has changed, or if repeating it fails.
    """
    run, lineage = recorded(client, run_id)
    with TemporaryDirectory(prefix="longtail-reproduce-") as folder:
        copy = Path(folder) / "project"
        with checked_out(project, copy, lineage["code"]) as changes:
            changes += [*package_changes(lineage), *precision_changes(lineage)]
            globals_, catalog = opened(project, lineage["env"])
            data_root = Path(folder) / "data"
            bring_inputs(catalog, lineage["inputs"], project / globals_["data_root"], data_root)
            overlays = {
                "globals": globals_ | {"data_root": str(data_root)},
                "tracking": NUMBERS_ONLY,
            }
            overlay(copy, lineage["env"], overlays)
            execute(copy, lineage)
            repeated = newest_leaderboard(data_root)
    rows: Any = load_dict(f"{run.info.artifact_uri}/{LEADERBOARD}.json")
    return compare(rows, repeated, changes)


def recorded(client: MlflowClient, run_id: str) -> tuple[Run, dict[str, Any]]:
    """Return a tracked run and its lineage.

    Raises:
        UserError: If there is no such run, or if it lacks a lineage or a leaderboard.
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
            f"The run {run_id} made no leaderboard: choose a run of the pipeline evaluation."
        )
    return run, load_dict(f"{run.info.artifact_uri}/{LINEAGE_FILE}")


@contextmanager
def checked_out(project: Path, copy: Path, code: Mapping[str, str]) -> Iterator[list[str]]:
    """Put the recorded code into a folder; yield how it differs from what the run used.

    The folder is a git worktree where the revision exists, and is removed from git's list of
    worktrees in any case.
    """
    try:
        yield check_out(project, copy, code)
    finally:
        # Twice: an interrupted `git worktree add` leaves a locked entry.
        git(project, "worktree", "remove", "--force", "--force", str(copy))


def check_out(project: Path, copy: Path, code: Mapping[str, str]) -> list[str]:
    """Put the recorded code into a folder; return how it differs from what the run used."""
    revision = code.get("git.revision")
    if not revision:
        copy_code(project, copy)
        return ["The run has no git revision: the current code is used."]
    if git(project, "worktree", "add", "--detach", str(copy), revision) is None:
        copy_code(project, copy)
        return [f"The revision {revision} no longer exists: the current code is used."]
    if code.get("git.dirty") == "true":
        return [f"The run's code had changes that were not committed to revision {revision}."]
    return []


def copy_code(project: Path, copy: Path) -> None:
    """Copy code and configuration as they are now."""
    for name in ("src", "conf"):
        shutil.copytree(project / name, copy / name)
    shutil.copy(project / "pyproject.toml", copy / "pyproject.toml")


def package_changes(lineage: Mapping[str, Any]) -> list[str]:
    """Return one sentence for each package that has another version now."""
    then, now = lineage["packages"], package_versions()
    names = sorted(name for name in then if now.get(name) != then[name] and name != "longtail")
    return [f"{name} was {then[name]}, is {now.get(name, 'not installed')}." for name in names]


def precision_changes(lineage: Mapping[str, Any]) -> list[str]:
    """Return a sentence if ``precision: auto`` means something else on this machine."""
    then = lineage["machine"].get("encoder_precision")
    now = encoder_precision(lineage["parameters"]).get("encoder_precision")
    if then is None or then == now:
        return []
    return [
        f"The run's texts were encoded in {then}, which is kept; models with the precision auto"
        f" compute in {now} here."
    ]


def parameters_to_repeat(lineage: Mapping[str, Any]) -> dict[str, Any]:
    """Return the recorded parameters, with the precision that ``auto`` meant on that machine."""
    parameters: dict[str, Any] = dict(lineage["parameters"])
    if precision := lineage["machine"].get("encoder_precision"):
        encoding = parameters["item_encoding"]
        encoder = encoding["encoder"] | {"precision": precision}
        parameters["item_encoding"] = encoding | {"encoder": encoder}
    return parameters


def opened(project: Path, env: str | None) -> tuple[dict[str, Any], DataCatalog]:
    """Return the resolved globals and the catalog of an environment."""
    context = open_context(project, env)
    catalog = catalog_with_versions(context, None)
    return dict(context.config_loader["globals"]), catalog


def open_context(
    project: Path, env: str | None, params: Mapping[str, Any] | None = None
) -> KedroContext:
    """Return the context of a project outside of a run, with parameters put over its own."""
    bootstrap_project(project)
    given = dict(params) if params else None
    with KedroSession.create(project, env=env, runtime_params=given) as session:
        assert isinstance(session, KedroSession)
        return session.load_context()


def bring_inputs(
    catalog: DataCatalog, versions: Mapping[str, str], data_root: Path, target: Path
) -> None:
    """Link or copy the recorded versions of the inputs into another data root.

    Args:
        catalog: the project's datasets.
        versions: of the inputs, by dataset.
        data_root: the folder that the datasets of the catalog are in.
        target: the other data root.

    Raises:
        UserError: If one of them no longer exists, or has other content than its run recorded.
    """
    records = RunRecords(data_root)
    for name, version in versions.items():
        entry = next(entry for entry in (name, f"{name}@pandas") if catalog.get(entry) is not None)
        dataset: Any = catalog[entry]
        folder = file_path(dataset)
        if (folder / version).is_dir():
            # The embedding cache reads all of its versions, other datasets read one.
            wanted = list(folder.iterdir())
            if follows_newest(dataset):
                wanted = [folder / version]
                file = folder / version / folder.name
                if damage := records.damage(name, version, file, always_hash=True):
                    raise UserError(
                        f"The input '{name}' has changed since the run read it: {file} {damage}."
                        " Restore this version from a backup."
                    )
            for path in wanted:
                copied = target / path.relative_to(data_root)
                shutil.copytree(path, copied, copy_function=link_or_copy)
        elif follows_newest(dataset):
            same = same_content(records, name, version, dataset)
            if same is None:
                raise UserError(
                    f"The version {version} of '{name}', which the run read, no longer exists, and"
                    " no other version has the same content."
                )
            shutil.copytree(
                same, target / (folder / version).relative_to(data_root), copy_function=link_or_copy
            )
        elif dataset.resolve_load_version() != version:
            raise UserError(
                f"The input '{name}' has changed: the run read content {version}, now the content"
                f" is {dataset.resolve_load_version()}."
            )


def same_content(
    records: RunRecords, name: str, version: str, dataset: VersionedDataset
) -> Path | None:
    """Return the folder of another version with the content that a version had, None without one.

    Args:
        records: the records of earlier runs.
        name: of the dataset.
        version: which no longer exists.
        dataset: of the catalog.
    """
    content = records.content(name, version)
    for other in dataset.list_versions(full_path=False):
        folder = file_path(dataset) / other
        if records.content(name, other) == content != version and not records.damage(
            name, other, folder / folder.parent.name, always_hash=True
        ):
            return folder
    return None


def overlay(copy: Path, env: str | None, files: Mapping[str, Mapping[str, bool | str]]) -> None:
    """Write files of the configuration for an environment, in place of those that it has."""
    folder = copy / "conf" / (env or "local")
    folder.mkdir(parents=True, exist_ok=True)
    for name, values in files.items():
        (folder / f"{name}.yml").write_text(yaml.safe_dump(dict(values)), encoding="utf-8")


def execute(copy: Path, lineage: Mapping[str, Any]) -> None:
    """Run the recorded pipelines in the copy of the project.

    Raises:
        UserError: If they fail.
    """
    order = {name: lineage[name] for name in ("env", "pipelines", "nodes")}
    order["parameters"] = parameters_to_repeat(lineage)
    completed = subprocess.run(
        [sys.executable, "-c", RUNNER],
        cwd=copy,
        env=os.environ | {"PYTHONPATH": str(copy / "src")},
        input=json.dumps(order),
        stdout=sys.stderr,
        text=True,
        check=False,
    )
    if completed.returncode != 0:
        raise UserError("The run could not be repeated: the error is above.")


def newest_leaderboard(data_root: Path) -> list[dict[str, Any]]:
    """Return the leaderboard that the repeated run has saved."""
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
    """Return whether every number is identical, and what differs, as text for the terminal."""
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
        lines.append(f"  {key}: recorded {before['value']}, repeated {after['value']}")
    return "\n".join(lines)
