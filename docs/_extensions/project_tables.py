"""Tables of the documentation that are read from the project: nothing in them is written twice.

A page holds a comment such as ``<!-- generated: parameters -->``; the table takes its place when
Sphinx reads the page. ``TABLES`` names them all.
"""

from __future__ import annotations

import importlib
import inspect
import json
import os
import pkgutil
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from kedro.config import OmegaConfigLoader
from kedro.framework.project import pipelines, settings
from kedro.framework.startup import bootstrap_project
from kedro.io import CatalogConfigResolver
from kedro.pipeline import Pipeline
from pydantic import BaseModel, TypeAdapter

from longtail.pipelines.parameters import Parameters

ROOT = Path(__file__).resolve().parents[2]
DESCRIPTIONS = ROOT / "docs/datasets.yml"
PLACEHOLDER = re.compile(r"^<!-- generated: (?P<table>[a-z_]+) -->$", re.MULTILINE)
# What the configuration asks of the environment variables of a user.
VARIABLES = {
    "LONGTAIL_DATA": "$LONGTAIL_DATA",
    "LONGTAIL_PSEUDONYM_KEY": "a key of the documentation",
}
LAYERS = (
    "raw",
    "intermediate",
    "primary",
    "feature",
    "model input",
    "models",
    "model output",
    "reporting",
)
PAPER = re.compile(
    r"(?P<authors>[A-Z][\w'-]+(?:(?:, | and )[A-Z][\w'-]+)*(?: et al\.)?): "
    r"(?P<title>[A-Z][^.]*?), (?P<where>(?:[A-Z][\w. -]*? )?(?:19|20)\d\d)"
)


@dataclass(frozen=True)
class Field:
    """One parameter: its dotted name, its JSON schema and its value in ``conf/base``."""

    name: str
    schema: Mapping[str, Any]
    default: Any


@dataclass(frozen=True)
class Group:
    """The parameters of one pydantic model, and of the models inside it."""

    name: str
    description: str
    fields: tuple[Field, ...]
    inner: tuple[Group, ...]

    def all_fields(self) -> Iterator[Field]:
        """Yield the parameters of the group and of all groups inside it."""
        yield from self.fields
        for group in self.inner:
            yield from group.all_fields()


@contextmanager
def _variables() -> Iterator[None]:
    """Set the environment variables that the configuration asks for, for a while."""
    before = {name: os.environ.get(name) for name in VARIABLES}
    os.environ.update(VARIABLES)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@cache
def registered_pipelines() -> dict[str, Pipeline]:
    """Return the project's pipelines by name."""
    with _variables():
        bootstrap_project(ROOT)
        pipelines.set_requested(None)
        return dict(pipelines)


@cache
def configuration(env: str) -> dict[str, dict[str, Any]]:
    """Return globals, parameters, catalog and tracking of an environment over ``conf/base``."""
    with _variables():
        bootstrap_project(ROOT)
        loader = OmegaConfigLoader(str(ROOT / "conf"), env=env, **settings.CONFIG_LOADER_ARGS)
        return {name: loader[name] for name in ("globals", "parameters", "catalog", "tracking")}


def environments() -> list[str]:
    """Return the names of the environments that a run can take."""
    folders = (path for path in (ROOT / "conf").iterdir() if any(path.glob("**/*.yml")))
    return sorted(path.name for path in folders if path.name not in {"base", "local"})


@cache
def parameter_types() -> dict[str, Any]:
    """Return the pydantic type of every typed group of parameters, by name."""
    groups = {name: field.annotation for name, field in Parameters.model_fields.items()}
    return {
        name: kind
        for name, kind in groups.items()
        if isinstance(kind, type) and issubclass(kind, BaseModel)
    }


@cache
def parameter_groups() -> dict[str, Group]:
    """Return every typed group of parameters with the values of ``conf/base``, as runs use them."""
    values = configuration("base")["parameters"]
    return {name: group_of(name, kind, values[name]) for name, kind in parameter_types().items()}


def plain_parameters() -> dict[str, Any]:
    """Return the parameters that are single values, by name."""
    values = configuration("base")["parameters"]
    return {name: value for name, value in values.items() if name not in parameter_types()}


def group_of(name: str, kind: Any, values: Mapping[str, Any]) -> Group:
    """Describe a pydantic model.

    Args:
        name: dotted name of the group.
        kind: the model.
        values: of ``conf/base``, for which the defaults of the model stand in.
    """
    schema = TypeAdapter(kind).json_schema()
    return _group(name, schema, schema.get("$defs", {}), values)


def _group(name: str, schema: Mapping[str, Any], models: Mapping[str, Any], values: Any) -> Group:
    fields, inner = [], []
    values = values if isinstance(values, Mapping) else {}
    for key, item in schema.get("properties", {}).items():
        model = _model_of(item, models)
        default = values.get(key, item.get("default"))
        if model is None or default is None:
            fields.append(Field(f"{name}.{key}", item, default))
        if model is not None:
            inner.append(_group(f"{name}.{key}", model, models, default))
    return Group(name, schema.get("description", ""), tuple(fields), tuple(inner))


def _model_of(item: Mapping[str, Any], models: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the schema of the pydantic model that a parameter holds, None if it holds none."""
    for part in (item, *item.get("anyOf", ()), *item.get("allOf", ())):
        if "$ref" in part:
            model: Mapping[str, Any] = models[part["$ref"].rpartition("/")[2]]
            return model if "properties" in model else None
    return None


def parameters() -> str:
    """Return a section with a table for each group of parameters."""
    sections = [_section(group, 2) for group in parameter_groups().values()]
    rows = [
        f"| {_code(name)} | {_value(value)} | {Parameters.model_fields[name].description} |"
        for name, value in plain_parameters().items()
    ]
    plain = ["## Single values", "", "| parameter | default | meaning |", "|---|---|---|", *rows]
    return "\n\n".join([*sections, *(["\n".join(plain)] if rows else [])])


def _section(group: Group, level: int) -> str:
    parts = [f"{'#' * level} {group.name}", _text(group.description)]
    if group.fields:
        parts.append(_field_table(group.fields))
    parts += [_section(inner, min(level + 1, 4)) for inner in group.inner]
    return "\n\n".join(part for part in parts if part)


def _field_table(fields: tuple[Field, ...]) -> str:
    lines = ["| parameter | default | allowed | what it does |", "|---|---|---|---|"]
    for field in fields:
        description = _text(field.schema.get("description", ""))
        allowed = _cell(allowed_values(field.schema))
        lines.append(
            f"| {_code(field.name)} | {_value(field.default)} | {allowed} | {_cell(description)} |"
        )
    return "\n".join(lines)


def allowed_values(schema: Mapping[str, Any]) -> str:
    """Return type and bounds of a JSON schema in words."""
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(map(allowed_values, schema["anyOf"])))
    if "$ref" in schema:
        return "a group of parameters"
    if "enum" in schema:
        return "one of " + ", ".join(f"`{choice}`" for choice in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    return _kind(schema) + _bounds(schema)


def _kind(schema: Mapping[str, Any]) -> str:
    kind = schema.get("type", "anything")
    if kind == "array":
        items = schema.get("items")
        inner = allowed_values(items) if items else "anything"
        return "list of " + (f"({inner})" if _bounds(items or {}) else inner)
    if kind == "object":
        values = schema.get("additionalProperties")
        return "mapping" + (f" to {allowed_values(values)}" if isinstance(values, dict) else "")
    names = {"string": "text", "boolean": "true or false", "number": "number", "null": "null"}
    return str(schema.get("format", names.get(kind, kind)))


def _bounds(schema: Mapping[str, Any]) -> str:
    signs = {
        "minimum": "≥ {}",
        "exclusiveMinimum": "> {}",
        "maximum": "≤ {}",
        "exclusiveMaximum": "< {}",
        "minItems": "(at least {})",
        "pattern": "matching `{}`",
    }
    found = [sign.format(schema[key]) for key, sign in signs.items() if key in schema]
    return " " + ", ".join(found) if found else ""


@cache
def recommenders() -> dict[str, Any]:
    """Return the class of every recommender by name."""
    registry = importlib.import_module("longtail.recommenders.registry")
    return dict(registry.MODELS)


def recommender_table() -> str:
    """Return one row a recommender: what it reads, and what it can do for new items and users."""
    values = configuration("base")["parameters"]
    fitted, sources = values["recommenders"]["fitted"], values["hybrid"]["sources"]
    baseline = values["evaluation"]["baseline"]
    lines = [
        "| name | paper | reads beside the histories | new items | new users | in a default run |",
        "|---|---|---|---|---|---|",
    ]
    for name, recommender in recommenders().items():
        reads = ", ".join(_code(field) for field in recommender.reads) or "nothing"
        roles = [
            role
            for role, names in (("baseline", [baseline]), ("source", sources), ("compared", fitted))
            if name in names
        ]
        role = ", ".join(roles[:2]) or "no"
        papers = "; ".join(
            f"{paper['authors']}, {paper['where']}" for paper in papers_of(recommender)
        )
        cells = [
            f"[{name}](#{name})",
            papers,
            reads,
            _new_items(recommender),
            _new_users(recommender),
        ]
        lines.append("| " + " | ".join(_cell(cell) for cell in [*cells, role]) + " |")
    return "\n".join(lines)


def recommender_sections() -> str:
    """Return a section for each recommender: its description, paper and hyper-parameters."""
    sections = []
    for name, recommender in recommenders().items():
        parts = [f"### {name}", f"`{recommender.__module__}.{recommender.__name__}`"]
        parts.append(_text(inspect.cleandoc(recommender.__doc__ or "")))
        if papers := papers_of(recommender):
            parts.append("Papers: " + "; ".join(paper[0] for paper in papers) + ".")
        group = group_of(f"recommenders.settings.{name}", recommender, {})
        if fields := tuple(group.all_fields()):
            parts.append(_hyperparameter_table(recommender, fields))
        sections.append("\n\n".join(parts))
    return "\n\n".join(sections)


def papers_of(recommender: Any) -> list[re.Match[str]]:
    """Return the papers that the documentation of a recommender, or of what it extends, names."""
    texts = []
    for kind in recommender.__mro__:
        module = inspect.getmodule(kind)
        ours = module is not None and module.__name__.startswith("longtail.recommenders")
        if module is None or not ours or inspect.isabstract(kind):
            continue
        texts += [kind.__doc__ or "", module.__doc__ or ""]
    found = (match for text in texts for match in PAPER.finditer(" ".join(text.split())))
    return list({match[0]: match for match in found}.values())


def _hyperparameter_table(recommender: Any, fields: tuple[Field, ...]) -> str:
    lines = ["| hyper-parameter | default | allowed | searched | what it does |", "|" + "---|" * 5]
    for field in fields:
        key = field.name.rpartition(".")[2]
        searched = _searched(recommender.search_space.get(key))
        description = _text(field.schema.get("description", ""))
        cells = [_code(key), _value(field.default), allowed_values(field.schema), searched]
        lines.append("| " + " | ".join(_cell(cell) for cell in [*cells, description]) + " |")
    return "\n".join(lines)


def _searched(space: Any) -> str:
    if space is None:
        return ""
    if isinstance(space, tuple):
        return f"{space[0]:g} to {space[1]:g}, logarithmic"
    return ", ".join(str(choice) for choice in space)


def _new_items(recommender: Any) -> str:
    return "by their own text" if recommender.places_items else "by their nearest items in text"


def _new_users(recommender: Any) -> str:
    if _overrides(recommender, "fold_in"):
        return "solved from their history"
    return "no state per user"


def _overrides(recommender: Any, method: str) -> bool:
    base = next(kind for kind in recommender.__mro__ if kind.__name__ == "Recommender")
    return getattr(recommender, method) is not getattr(base, method)


@cache
def catalog_entries() -> dict[str, dict[str, Any]]:
    """Return the entries of the catalog by name, transcoded ones under one name."""
    entries: dict[str, dict[str, Any]] = {}
    for name, entry in configuration("base")["catalog"].items():
        if not name.startswith("_"):
            plain = name.partition("@")[0]
            entries[plain] = entries.get(plain, {}) | entry
    return entries


def dataset_descriptions() -> dict[str, dict[str, str]]:
    """Return what a row and the columns of each dataset are, by entry of the catalog."""
    found: dict[str, dict[str, str]] = yaml.safe_load(DESCRIPTIONS.read_text("utf-8"))
    return found


def datasets() -> str:
    """Return a table of the datasets of every layer: file, writer, what a row is, columns."""
    layers: dict[str, list[str]] = {layer: [] for layer in LAYERS}
    descriptions, writers, listed = dataset_descriptions(), _writers(), set()
    for entry in catalog_entries().values():
        file = _file(entry)
        if file in listed:
            continue
        listed.add(file)
        same = [other for other, twin in catalog_entries().items() if _file(twin) == file]
        by = dict.fromkeys(pipeline for other in same for pipeline in writers.get(other, ()))
        by = {} if "stem" in entry else by
        description = next((descriptions[one] for one in same if one in descriptions), {})
        columns = _columns(entry) or description.get("columns", "")
        cells = [file, ", ".join(by), description.get("row", ""), columns]
        row = "| " + " | ".join(_cell(_text(cell)) for cell in cells) + " |"
        layers.setdefault(_layer(entry), []).append(row)
    head = "| file | written by | one row is, or it holds | columns or fields |\n|---|---|---|---|"
    return "\n\n".join(
        f"### {layer[:1].upper()}{layer[1:]}\n\n" + "\n".join([head, *sorted(rows)])
        for layer, rows in layers.items()
        if rows
    )


def _layer(entry: Mapping[str, Any]) -> str:
    layer: str = entry.get("metadata", {}).get("kedro-viz", {}).get("layer", "other")
    return layer


def _file(entry: Mapping[str, Any]) -> str:
    if path := entry.get("filepath"):
        data_root = str(configuration("base")["globals"]["data_root"])
        return f"`{str(path).removeprefix(str(ROOT) + '/').removeprefix(data_root + '/')}`"
    return f"`{entry['stem']}`, your file" if "stem" in entry else ""


def _columns(entry: Mapping[str, Any]) -> str:
    """Return the columns that the validator of a dataset checks, "" without one."""
    if "validator" not in entry:
        return ""
    module, _, name = str(entry["validator"]).rpartition(".")
    schema = getattr(importlib.import_module(module), name).to_schema()
    return ", ".join(f"`{column}`" for column in schema.columns)


def _writers() -> dict[str, list[str]]:
    """Return the names of the pipelines that write each entry of the catalog."""
    entries = configuration("base")["catalog"]
    credentials: dict[str, Any] = {
        entry["credentials"]: {} for entry in entries.values() if "credentials" in entry
    }
    named = {name: entry for name, entry in entries.items() if not name.startswith("_")}
    in_memory = {"{default}": {"type": "kedro.io.MemoryDataset"}}
    patterns = CatalogConfigResolver(named, credentials, default_runtime_patterns=in_memory)
    writers: dict[str, list[str]] = {}
    for pipeline, nodes in registered_pipelines().items():
        if pipeline == "__default__":
            continue
        for output in sorted(nodes.all_outputs()):
            name = output if output in entries else patterns.match_dataset_pattern(output) or output
            found = writers.setdefault(name.partition("@")[0], [])
            if pipeline not in found:
                found.append(pipeline)
    # What only another choice of parameters makes belongs to the pipeline of its folder.
    for path in (ROOT / "conf/base").glob("*/catalog*.yml"):
        for name in yaml.safe_load(path.read_text("utf-8")) or {}:
            if path.parent.name in registered_pipelines():
                writers.setdefault(name.partition("@")[0], [path.parent.name])
    return writers


def environment_differences() -> str:
    """Return, for every environment, the settings in which it differs from ``conf/base``."""
    defaults = {f.name: f.default for g in parameter_groups().values() for f in g.all_fields()}
    base, sections = defaults | _settings("base"), []
    for env in environments():
        own = _settings(env)
        changed = {name: base.get(name) for name in sorted(own) if own[name] != base.get(name)}
        rows = [
            f"| {_code(name)} | {_value(default)} | {_difference(default, own[name])} |"
            for name, default in changed.items()
        ]
        table = ["| setting | base | here |", "|---|---|---|", *rows]
        none = ["No parameter differs."]
        sections.append("\n".join([f"### {env}", "", *(table if rows else none)]))
    return "\n\n".join(sections)


def _settings(env: str) -> dict[str, Any]:
    """Return all parameters and globals of an environment by dotted name."""
    loader = configuration(env)
    found = dict(_flat(loader["parameters"]))
    shared = {name: loader["globals"].get(name) for name in ("source_folder", "data_root")}
    found |= {f"globals.{name}": value for name, value in shared.items()}
    return {
        name: value.replace(str(ROOT) + "/", "") if isinstance(value, str) else value
        for name, value in found.items()
        if ".signal_presets." not in name
    }


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _difference(base: Any, own: Any) -> str:
    """Return the own value; of a long list that only grew what is new."""
    if not isinstance(base, list) or not isinstance(own, list) or len(own) < 6:
        return _value(own)
    added = [f"`{name}`" for name in own if name not in base]
    return "also " + ", ".join(added) if set(base) <= set(own) else _value(own)


def signal_presets() -> str:
    """Return the weights of every preset."""
    presets = configuration("base")["globals"].get("signal_presets", {})
    lines = ["| preset | weight by event type | other settings |", "|---|---|---|"]
    for name, preset in presets.items():
        weights = ", ".join(
            f"`{event}` {weight}" for event, weight in preset["event_weights"].items()
        )
        rest = dict(_flat({key: preset[key] for key in preset if key != "event_weights"}))
        others = ", ".join(f"`{key}` {_plain(value)}" for key, value in rest.items())
        lines.append(f"| {_code(name)} | {_cell(weights)} | {_cell(others)} |")
    return "\n".join(lines)


def _plain(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def tracking() -> str:
    """Return the settings of tracking.yml."""
    package = importlib.import_module("longtail.tracking")
    modules = pkgutil.iter_modules(package.__path__, "longtail.tracking.")
    found = (importlib.import_module(module.name) for module in modules)
    kind = next(filter(None, (getattr(module, "TrackingParameters", None) for module in found)))
    return _field_table(group_of("tracking", kind, configuration("base")["tracking"]).fields)


TABLES: dict[str, Callable[[], str]] = {
    "datasets": datasets,
    "environments": environment_differences,
    "parameters": parameters,
    "recommender_sections": recommender_sections,
    "recommender_table": recommender_table,
    "signal_presets": signal_presets,
    "tracking": tracking,
}


def fill(page: str) -> str:
    """Put the generated tables in the place of their comments.

    Raises:
        KeyError: there is no table of that name.
    """
    return PLACEHOLDER.sub(lambda match: TABLES[match["table"]](), page)


def _code(text: str) -> str:
    return "`" + text.replace("|", "\\|") + "`"


def _value(value: Any) -> str:
    text = value if isinstance(value, str) and value else json.dumps(value, default=str)
    return _code(text)


def _text(text: str) -> str:
    """Turn the marks of docstrings (reStructuredText) into those of Markdown."""
    text = re.sub(r":(?:math|mod|class|func):`", "`", text).replace("``", "`")
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(part if part.startswith("`") else part.replace("*", r"\*") for part in parts)


def _cell(text: str) -> str:
    """Keep a text on one line of a table."""
    return re.sub(r"(?<!\\)\|", r"\\|", " ".join(text.split()))


def setup(app: Any) -> dict[str, Any]:
    """Fill the pages as Sphinx reads them."""

    def fill_source(_app: Any, _page: str, source: list[str]) -> None:
        source[0] = fill(source[0])

    app.connect("source-read", fill_source)
    return {"version": "1", "parallel_read_safe": False}
