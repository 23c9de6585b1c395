"""Parameters of a run as MLflow shows them: its own and those of the runs that made its inputs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from mlflow.entities import Run
from mlflow.tracking import MlflowClient
from pydantic import BaseModel

from longtail.runs.versions import is_parameter

SET = "parameters.set"
INHERITED = "parameters.inherited"
MAX_PARAMETER_LENGTH = 6000


def tracked_parameters(
    pipeline: Pipeline, catalog: DataCatalog, upstream: Mapping[str, set[str]]
) -> tuple[dict[str, str], dict[str, str]]:
    """Return the parameters behind a run's results, and as tags where they come from.

    A parameter has one name, whether the run's nodes take it or the runs that made the inputs did:
    runs can be compared. Several inherited values are joined by ``|``.

    Args:
        pipeline: what runs.
        catalog: its datasets.
        upstream: parameters of the runs that made the inputs, with all their values.
    """
    own = {name: as_text(value) for name, value in used_parameters(pipeline, catalog).items()}
    inherited = {
        name: " | ".join(sorted(values)) for name, values in upstream.items() if name not in own
    }
    names = {name.removeprefix("params:") for name in pipeline.inputs() if is_parameter(name)}
    tags = {SET: sorted(names), INHERITED: sorted({name.split(".")[0] for name in inherited})}
    return inherited | own, {name: ", ".join(groups) for name, groups in tags.items() if groups}


def used_parameters(pipeline: Pipeline, catalog: DataCatalog) -> dict[str, Any]:
    """Return the flattened parameters that the nodes of a pipeline take."""
    names = sorted(filter(is_parameter, pipeline.inputs()))
    values = {name.removeprefix("params:"): catalog[name].load() for name in names}
    return flatten(values.pop("parameters", {})) | flatten(values)


def flatten(value: Any, name: str = "") -> dict[str, Any]:
    """Flatten nested mappings and pydantic models into dotted names."""
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json")
    if not isinstance(value, Mapping):
        return {name: value}
    parts = (flatten(child, f"{name}.{key}" if name else str(key)) for key, child in value.items())
    return {key: leaf for part in parts for key, leaf in part.items()}


def as_text(value: Any) -> str:
    """Return a parameter's value as MLflow stores it: lists as JSON, cut to the longest allowed."""
    plain = value if isinstance(value, str) else json.dumps(value, default=str)
    return plain[:MAX_PARAMETER_LENGTH]


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

    A parameter that a run took itself overrides an inherited one of the same name.
    """
    own: dict[str, set[str]] = {}
    further: dict[str, set[str]] = {}
    for run in runs:
        groups = run.data.tags.get(SET, "").split(", ")
        for name, value in run.data.params.items():
            taken = name in groups or any(name.startswith(f"{group}.") for group in groups)
            (own if taken else further).setdefault(name, set()).add(value)
    return further | own
