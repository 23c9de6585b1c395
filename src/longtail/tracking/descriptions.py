"""How MLflow names and tags a run: its name, its command, its split, its input datasets."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from mlflow.entities import Dataset, DatasetInput, InputTag

from longtail.private_interfaces import file_path, set_load_version
from longtail.runs.versions import read_from_outside, without_transcoding
from longtail.tracking.parameters import as_text, flatten

MAX_NAME_LENGTH = 250
MAX_NAMED_PARAMETERS = 3
DIGEST_LENGTH = 16


def run_name(
    data_name: str,
    pipeline_names: Sequence[str],
    session_id: str,
    runtime_params: Mapping[str, Any] | None = None,
) -> str:
    """Name a run by what tells it from others, first what does so best, as columns are narrow.

    These are the parameters given at run time, the pipelines, the start (UTC) and the data.
    """
    given = flatten(runtime_params or {})
    short = Counter(name.rpartition(".")[2] for name in given)
    parts = [
        f"{leaf if short[leaf := name.rpartition('.')[2]] == 1 else name}={as_text(value)}"
        for name, value in given.items()
    ]
    if len(parts) > MAX_NAMED_PARAMETERS:
        parts = [*parts[:MAX_NAMED_PARAMETERS], "..."]
    moment = session_id[5:19].replace("T", " ").replace(".", ":")
    return " ".join([*parts, "+".join(sorted(pipeline_names)), moment, data_name])[:MAX_NAME_LENGTH]


def kedro_command(run_params: Mapping[str, Any]) -> str:
    """Return the command that starts the same run."""
    options = {
        "env": run_params["env"],
        "pipelines": ",".join(sorted(run_params["pipeline_names"] or ())),
        "nodes": ",".join(run_params["node_names"] or ()),
        "from-nodes": ",".join(run_params["from_nodes"] or ()),
        "to-nodes": ",".join(run_params["to_nodes"] or ()),
        "from-inputs": ",".join(run_params["from_inputs"] or ()),
        "to-outputs": ",".join(run_params["to_outputs"] or ()),
        "tags": ",".join(run_params["tags"] or ()),
        "load-versions": _pairs(run_params["load_versions"], ":"),
        "params": _pairs(flatten(run_params["runtime_params"] or {}), "="),
    }
    given = [f"--{name}={value}" for name, value in options.items() if value]
    return " ".join(["kedro run", *given])


def _pairs(values: Mapping[str, Any] | None, joined_by: str) -> str:
    return ",".join(f"{name}{joined_by}{value}" for name, value in (values or {}).items())


def split_tags(pipeline: Pipeline, catalog: DataCatalog) -> dict[str, str]:
    """Return protocol and fingerprint of the split that a run made or read, as tags."""
    tables = [name for name in pipeline.datasets() if name.startswith("test_interactions")]
    if not tables:
        return {}
    split: Any = catalog["split"]
    table: Any = catalog[tables[0]]
    # A split and its tables are saved by one node, under one version.
    set_load_version(split, table.resolve_load_version())
    if not split.exists():
        return {}
    content = split.load()
    return {"protocol": content["protocol"], "split": content["fingerprint"]}


def rejection_tags(pipeline: Pipeline, catalog: DataCatalog) -> dict[str, str]:
    """Return the rules that rejected many rows of the input, as a tag of the run."""
    name = "cleaning_report"
    if name not in pipeline.all_outputs() or not catalog[name].exists():
        return {}
    report = catalog[name].load()
    findings = [
        f"{file}.{finding['rule']} {finding['share']:.1%}"
        for file in ("items", "interactions")
        for finding in report[file].get("mass_rejections", [])
    ]
    return {"mass_rejections": ", ".join(findings)} if findings else {}


def dataset_inputs(
    versions: Mapping[str, str], pipeline: Pipeline, catalog: DataCatalog
) -> list[DatasetInput]:
    """Return the run's inputs as MLflow datasets.

    Args:
        versions: of the inputs, by dataset.
        pipeline: what runs.
        catalog: its datasets.
    """
    entries: dict[str, Any] = {
        without_transcoding(name): catalog[name] for name in read_from_outside(pipeline)
    }
    return [
        DatasetInput(
            Dataset(
                name=name,
                digest=hashlib.sha256(version.encode()).hexdigest()[:DIGEST_LENGTH],
                source_type="kedro",
                source=json.dumps({"file": str(file_path(entries[name])), "version": version}),
            ),
            tags=[InputTag("mlflow.data.context", "input")],
        )
        for name, version in versions.items()
    ]
