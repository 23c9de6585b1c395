"""What made a run's numbers: versions of the data, code, parameters, packages and machine."""

import hashlib
import json
import os
import platform
import subprocess
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from mlflow.entities import Dataset, DatasetInput, InputTag, Run
from mlflow.tracking import MlflowClient
from pydantic import BaseModel

from longtail.hooks.versions import (
    input_versions,
    is_parameter,
    output_hashes,
    read_from_outside,
    without_transcoding,
)

LINEAGE_FILE = "lineage.json"
UPSTREAM = "upstream."
DIGEST_LENGTH = 16


def lineage_of(
    run_params: Mapping[str, Any], pipeline: Pipeline, catalog: DataCatalog
) -> dict[str, Any]:
    """Return everything that is needed to make the run again, as plain JSON."""
    return {
        "version": run_params["run_id"],
        "env": run_params["env"],
        "pipelines": run_params["pipeline_names"],
        "nodes": [node.name for node in pipeline.nodes],
        "inputs": input_versions(pipeline, catalog),
        "outputs": output_hashes(pipeline, catalog),
        "parameters": parameter_values(pipeline, catalog),
        "code": code_revision(Path(run_params["project_path"])),
        "packages": package_versions(),
        "machine": machine(),
    }


def parameter_values(pipeline: Pipeline, catalog: DataCatalog) -> dict[str, Any]:
    """Return the parameters that the nodes of a pipeline take, as plain JSON."""
    names = sorted(filter(is_parameter, pipeline.all_inputs()))
    values = {name.removeprefix("params:"): catalog[name].load() for name in names}
    return {
        name: value.model_dump(mode="json") if isinstance(value, BaseModel) else value
        for name, value in values.items()
    }


def code_revision(project_path: Path) -> dict[str, str]:
    """Return the git revision of the project and whether its files differ from it, as tags."""
    revision = git(project_path, "rev-parse", "HEAD")
    if revision is None:
        return {}
    changes = git(project_path, "status", "--porcelain")
    return {"git.revision": revision, "git.dirty": str(bool(changes)).lower()}


def git(project_path: Path, *arguments: str) -> str | None:
    """Return what a git command prints, None where it fails or git is missing."""
    try:
        completed = subprocess.run(
            ["git", "-C", str(project_path), *arguments], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return completed.stdout.strip()


@cache
def package_versions() -> dict[str, str]:
    """Return the versions of all installed packages."""
    found = {str(package.metadata["Name"]).lower(): package.version for package in distributions()}
    return dict(sorted(found.items()))


def machine() -> dict[str, Any]:
    """Return what numbers may depend on besides code, data and packages."""
    return {
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def runs_of_versions(
    client: MlflowClient, experiment_id: str, versions: Mapping[str, str]
) -> list[Run]:
    """Return the tracked runs that saved the given versions, the newest first."""
    found = (
        client.search_runs([experiment_id], f"tags.run_id = '{version}'", max_results=1)
        for version in sorted(set(versions.values()), reverse=True)
    )
    return [run for runs in found for run in runs]


def upstream_parameters(runs: Iterable[Run]) -> dict[str, set[str]]:
    """Return the parameters of the runs that made the inputs, with all values that occur.

    A parameter that a run took itself counts more than what it inherited.
    """
    own: dict[str, set[str]] = {}
    further: dict[str, set[str]] = {}
    for run in runs:
        for name, value in run.data.params.items():
            values = further if name.startswith(UPSTREAM) else own
            values.setdefault(name.removeprefix(UPSTREAM), set()).add(value)
    return further | own


def inherited(upstream: Mapping[str, set[str]], own: Mapping[str, str]) -> dict[str, str]:
    """Name inherited parameters ``upstream.<name>``; several values are joined by a bar."""
    return {
        f"{UPSTREAM}{name}": " | ".join(sorted(values))
        for name, values in upstream.items()
        if name not in own
    }


def dataset_inputs(
    versions: Mapping[str, str], pipeline: Pipeline, catalog: DataCatalog
) -> list[DatasetInput]:
    """Return the run's inputs as MLflow datasets."""
    entries: dict[str, Any] = {
        without_transcoding(name): catalog[name] for name in read_from_outside(pipeline)
    }
    return [
        DatasetInput(
            Dataset(
                name=name,
                digest=hashlib.sha256(version.encode()).hexdigest()[:DIGEST_LENGTH],
                source_type="kedro",
                source=json.dumps({"file": str(entries[name]._filepath), "version": version}),
            ),
            tags=[InputTag("mlflow.data.context", "input")],
        )
        for name, version in versions.items()
    ]
