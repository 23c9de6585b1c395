"""What made a run's numbers: versions of the data, code, parameters, packages and machine."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from pydantic import BaseModel

from longtail.installed_packages import package_versions
from longtail.runs.versions import input_versions, is_parameter, output_hashes

LINEAGE_FILE = "lineage.json"


def lineage_of(
    run_params: Mapping[str, Any], pipeline: Pipeline, catalog: DataCatalog
) -> dict[str, Any]:
    """Return everything that is needed to repeat the run, as plain JSON."""
    parameters = parameter_values(pipeline, catalog)
    return {
        "version": run_params["run_id"],
        "env": run_params["env"],
        "pipelines": run_params["pipeline_names"],
        "nodes": [node.name for node in pipeline.nodes],
        "inputs": input_versions(pipeline, catalog),
        "outputs": output_hashes(pipeline, catalog),
        "parameters": parameters,
        "code": code_revision(Path(run_params["project_path"])),
        "packages": package_versions(),
        "machine": machine() | encoder_precision(parameters),
    }


def parameter_values(pipeline: Pipeline, catalog: DataCatalog) -> dict[str, Any]:
    """Return the parameters that the nodes of a pipeline take, as plain JSON."""
    # All groups: which nodes there are follows from parameters that a node need not take.
    names = ["parameters"] if "parameters" in catalog else []
    values: dict[str, Any] = {}
    for name in names or sorted(filter(is_parameter, pipeline.all_inputs())):
        loaded = catalog[name].load()
        values |= loaded if name == "parameters" else {name.removeprefix("params:"): loaded}
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


def encoder_precision(parameters: Mapping[str, Any]) -> dict[str, str]:
    """Return the precision in which the encoder computes here, nothing for a run without one.

    Args:
        parameters: of the run, as ``parameter_values`` returns them.
    """
    encoder = (parameters.get("item_encoding") or {}).get("encoder") or {}
    if "precision" not in encoder:
        return {}
    from longtail.text.weights import resolved_precision  # noqa: PLC0415 imports torch

    return {"encoder_precision": resolved_precision(encoder["precision"])}
