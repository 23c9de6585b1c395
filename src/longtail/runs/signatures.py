"""What a node's outputs depend on, as one hash: code, libraries, parameters, weights, inputs."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kedro.io import DataCatalog
from kedro.pipeline.node import Node
from pydantic import BaseModel

from longtail.files import file_state
from longtail.private_interfaces import configuration
from longtail.runs.records import RunRecords
from longtail.runs.versions import is_parameter, without_transcoding
from longtail.source_code import (
    REGISTRY,
    closed_over,
    code_hash,
    library_versions,
    reached_by,
    with_closures,
)

# Keys of a catalog entry that do not affect content.
NOT_CONTENT = ("kwargs", "metadata", "version", "versioned")
# Parameters with these names say which language model is read and how precisely it computes.
MODEL = "model"
PRECISION = "precision"
PACKAGE_PREFIX = "package:"
PARTS_OF_A_MODEL = re.compile(
    r"recommendations_(\w+)|(\w+?)_(?:hyperparameters|validation_model|model)"
)


def node_signature(node: Node, catalog: DataCatalog, records: RunRecords) -> str:
    """Return the hash of all that a node's outputs depend on.

    These are the source that the node reaches and the versions of the libraries behind it, the
    parameters with the files and model weights that they name, the content of the inputs, and how
    the catalog describes inputs and outputs. Caches, which change a node's time and not its result,
    are left out.
    """
    datasets = [name for name in (*node.inputs, *node.outputs) if not is_parameter(name)]
    validators = {name: catalog.validators.get(name) for name in datasets}
    modules = [module for spec in validators.values() for module in _named_modules(spec)]
    parameters = {
        name.removeprefix("params:"): _plain(catalog[name].load())
        for name in node.inputs
        if is_parameter(name)
    }
    code = [node.func, *(type(catalog[name]) for name in datasets), *models_of(node, parameters)]
    parts = {
        "node": [node.inputs, node.outputs],
        "closed_over": [v for v in closed_over(node.func) if isinstance(v, str | int | float)],
        "code": code_hash(code, modules),
        "libraries": library_versions(code, modules),
        "parameters": list(parameters.values()),
        "files": [_state(path, leaf) for path, leaf in leaves(parameters)],
        "inputs": [_content(n, catalog, records) for n in node.inputs if not is_parameter(n)],
        "catalog": [_description(catalog[name]) for name in datasets],
        "validators": validators,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def models_of(node: Node, parameters: Mapping[str, Any]) -> list[type]:
    """Return the models that a node looks up by name.

    A node that closes over classes uses these. Another whose code reaches the registry uses the
    models that its parameters or the names of its inputs mention.
    """
    functions = list(with_closures([node.func]))
    if any(isinstance(part, type) for part in functions):
        return []
    if REGISTRY not in reached_by(functions).not_followed:
        return []
    from longtail.recommenders.registry import MODELS  # noqa: PLC0415 imports every model

    named = set(_names_in(parameters))
    for dataset in node.inputs:
        # The datasets of an arm carry its name before a dot.
        name = without_transcoding(dataset).rpartition(".")[2]
        if found := PARTS_OF_A_MODEL.fullmatch(name):
            named.update(filter(None, found.groups()))
    return [model for name, model in MODELS.items() if name in named]


def _names_in(value: Any) -> Iterator[str]:
    """Yield all texts in nested values, keys too."""
    for path, leaf in leaves(value):
        yield from path
        if isinstance(leaf, str):
            yield leaf


def _plain(value: Any) -> Any:
    """Return a parameter as plain JSON."""
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else value


def leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield the single values among nested parameters, each with the names that lead to it."""
    if isinstance(value, Mapping):
        for name, child in value.items():
            yield from leaves(child, (*path, str(name)))
    elif isinstance(value, list | tuple):
        for child in value:
            yield from leaves(child, path)
    else:
        yield path, value


def _state(path: tuple[str, ...], leaf: Any) -> Any:
    """Return the state of what a parameter names: files, weights, the precision of the machine."""
    if not isinstance(leaf, str) or not leaf:
        return None
    name = ".".join(path)
    if name.endswith(PRECISION):
        from longtail.text.weights import resolved_precision  # noqa: PLC0415 imports torch

        return resolved_precision(leaf)
    if name.endswith(MODEL) or leaf.startswith(PACKAGE_PREFIX):
        from longtail.text.weights import weights_state  # noqa: PLC0415 imports torch

        return weights_state(leaf)
    return list(map(file_state, _files(Path(leaf))))


def _files(path: Path) -> list[Path]:
    if not path.is_absolute():
        return []
    return sorted(p for p in (path, *path.rglob("*")) if p.is_file())


def _content(name: str, catalog: DataCatalog, records: RunRecords) -> str | None:
    """Return the hash of a node's input, None for a cache."""
    dataset: Any = catalog[name]
    if getattr(dataset, "is_cache", False):
        return None
    return records.content(without_transcoding(name), dataset.resolve_load_version())


def _description(dataset: Any) -> dict[str, Any]:
    """Return how the catalog describes a dataset, without version and metadata."""
    config = configuration(dataset)
    # Where a class takes any keywords, Kedro keeps them one level deeper.
    arguments = config | config.get("kwargs", {})
    return {name: value for name, value in arguments.items() if name not in NOT_CONTENT}


def _named_modules(value: Any) -> list[str]:
    """Return the modules of the classes that a validator's configuration names."""
    return [leaf.rpartition(".")[0] for _, leaf in leaves(value) if isinstance(leaf, str)]
