"""What a node's outputs are made from, as one hash: code, parameters, inputs, packages."""

from __future__ import annotations

import ast
import hashlib
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

from kedro.io import DataCatalog
from kedro.pipeline.node import Node
from pydantic import BaseModel

import longtail
from longtail.hooks.lineage import package_versions
from longtail.hooks.records import RunRecords
from longtail.hooks.versions import is_parameter, without_transcoding

# How the catalog shows a dataset and which version it takes: not what is in it.
NOT_CONTENT = ("kwargs", "metadata", "version", "versioned")
PACKAGE = Path(longtail.__file__).parent


def node_signature(node: Node, catalog: DataCatalog, records: RunRecords) -> str:
    """Return the hash of all that a node's outputs depend on.

    These are the source of the node and of every module of the package that it reaches, the
    parameters, the content of the inputs, how the catalog describes inputs and outputs, and the
    versions of the installed packages. Caches, which change a node's time and not its result, are
    left out.
    """
    datasets = [name for name in (*node.inputs, *node.outputs) if not is_parameter(name)]
    validators = {name: catalog.validators.get(name) for name in datasets}
    modules = [module for spec in validators.values() for module in _named_modules(spec)]
    parts = {
        "node": [node.inputs, node.outputs],
        "code": code_hash([node.func, *(type(catalog[name]) for name in datasets)], modules),
        "parameters": [_plain(catalog[n].load()) for n in node.inputs if is_parameter(n)],
        "inputs": [_content(n, catalog, records) for n in node.inputs if not is_parameter(n)],
        "catalog": [_description(catalog[name]) for name in datasets],
        "validators": validators,
        "packages": package_versions(),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def _plain(value: Any) -> Any:
    """Return a parameter as plain JSON, with the state of the files that it names."""
    plain = value.model_dump(mode="json") if isinstance(value, BaseModel) else value
    files = [
        (str(path), path.stat().st_size, path.stat().st_mtime_ns)
        for leaf in _leaves(plain)
        for path in _files(Path(leaf))
    ]
    return [plain, files]


def _leaves(value: Any) -> Iterator[str]:
    """Yield the texts among nested parameters."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list | tuple):
        for child in value.values() if isinstance(value, dict) else value:
            yield from _leaves(child)


def _files(path: Path) -> list[Path]:
    if not path.is_absolute():
        return []
    return sorted(p for p in (path, *path.rglob("*")) if p.is_file())


def _content(name: str, catalog: DataCatalog, records: RunRecords) -> str | None:
    """Return what tells the content of a node's input, None for a cache."""
    dataset: Any = catalog[name]
    if getattr(dataset, "is_cache", False):
        return None
    return records.content(without_transcoding(name), dataset.resolve_load_version())


def _description(dataset: Any) -> dict[str, Any]:
    """Return how the catalog describes a dataset, without its version and its looks."""
    config = dataset._init_config()
    # Where a class takes any keywords, Kedro keeps them one level deeper.
    arguments = config | config.get("kwargs", {})
    return {name: value for name, value in arguments.items() if name not in NOT_CONTENT}


def _named_modules(value: Any) -> list[str]:
    """Return the modules of the classes that a validator's configuration names."""
    return [leaf.rpartition(".")[0] for leaf in _leaves(value)]


def code_hash(roots: Iterable[Any], modules: Iterable[str] = ()) -> str:
    """Return the hash of the source files that functions, classes and modules reach."""
    roots = list(_unbound(roots))
    reached = {*modules, *(root.__module__ for root in roots)}
    files = set().union(*(reached_files(module) for module in reached))
    digest = hashlib.sha256(str(sorted(root.__qualname__ for root in roots)).encode())
    for path in sorted(files):
        digest.update(f"{path.relative_to(PACKAGE)} {_file_digest(path)}".encode())
    return digest.hexdigest()


def _unbound(roots: Iterable[Any]) -> Iterator[Callable[..., Any]]:
    """Take partial functions apart into the function and what is bound to it."""
    for root in roots:
        if isinstance(root, partial):
            bound = (*root.args, *root.keywords.values())
            yield from _unbound([root.func, *(part for part in bound if callable(part))])
        else:
            yield root


@cache
def _file_digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@cache
def reached_files(module: str) -> frozenset[Path]:
    """Return the files of the package that a module imports, directly or not, and its own.

    Whatever else lies beside a module, such as a template, belongs to it.
    """
    files: set[Path] = set()
    waiting = [module]
    while waiting:
        path = _file_of(waiting.pop())
        if path is not None and path not in files:
            files |= {path, *_companions(path.parent)}
            waiting += _imports(path)
    return frozenset(files)


def _file_of(module: str) -> Path | None:
    """Return the file of a module of this package, None for other names."""
    package, *parts = module.split(".")
    if package != PACKAGE.name:
        return None
    path = PACKAGE.joinpath(*parts)
    candidates = (path.with_suffix(".py"), path / "__init__.py")
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def _companions(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_file() and path.suffix not in (".py", "")]


def _imports(path: Path) -> list[str]:
    """Return the modules that a file imports, wherever in it, as absolute names."""
    here = ".".join((PACKAGE.name, *path.relative_to(PACKAGE).with_suffix("").parts[:-1]))
    names = []
    for statement in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(statement, ast.Import):
            names += [alias.name for alias in statement.names]
        elif isinstance(statement, ast.ImportFrom):
            parent = here.rsplit(".", statement.level - 1)[0] if statement.level else ""
            module = ".".join(filter(None, (parent, statement.module)))
            names += [module, *(f"{module}.{alias.name}" for alias in statement.names)]
    return names


def third_party_imports(module: str) -> set[str]:
    """Return the top-level names that a module and what it reaches import from other packages."""
    names = {name.partition(".")[0] for path in reached_files(module) for name in _source(path)}
    return names - {PACKAGE.name, *sys.stdlib_module_names}


def _source(path: Path) -> list[str]:
    return _imports(path) if path.suffix == ".py" else []
