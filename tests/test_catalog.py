"""Walks the real catalog, parameters and pipelines of every environment."""

from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import pytest
from kedro.config import OmegaConfigLoader
from kedro.framework.project import pipelines, settings
from kedro.framework.startup import bootstrap_project
from kedro.io import CatalogConfigResolver
from kedro.pipeline import Pipeline
from kedro.validation.type_extractor import TypeExtractor
from pydantic import BaseModel, TypeAdapter
from pydantic_core import PydanticUndefined

from longtail.configuration import use_parameters

ROOT = Path(__file__).resolve().parents[1]
IN_MEMORY = {"{default}": {"type": "kedro.io.MemoryDataset"}}
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


ENVIRONMENTS = (
    "base",
    "canonical",
    "demo",
    "study",
    "networks",
    "test",
    "private",
    "multilingual",
    "spark",
)


@pytest.fixture(params=ENVIRONMENTS)
def config(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> OmegaConfigLoader:
    """The project's configuration of one environment."""
    monkeypatch.setenv("LONGTAIL_DATA", "data")
    bootstrap_project(ROOT)
    loader = OmegaConfigLoader(str(ROOT / "conf"), env=request.param, **settings.CONFIG_LOADER_ARGS)
    parameters = loader["parameters"]
    # Everything that can be in the graph.
    parameters["item_encoding"]["second_text"] = ["keywords"]
    for study in ("augmentation_study", "llm_judge"):
        parameters[study]["users"] = 1
    use_parameters(parameters)
    return loader


@pytest.fixture
def entries(config: OmegaConfigLoader) -> dict[str, Any]:
    """The catalog's configuration by entry; keys that begin with ``_`` are YAML anchors."""
    return {name: entry for name, entry in config["catalog"].items() if not name.startswith("_")}


@pytest.fixture
def patterns(entries: dict[str, Any]) -> CatalogConfigResolver:
    credentials = {entry["credentials"]: {} for entry in entries.values() if "credentials" in entry}
    return CatalogConfigResolver(entries, credentials, default_runtime_patterns=IN_MEMORY)


@pytest.fixture
def whole(config: OmegaConfigLoader) -> Pipeline:  # noqa: ARG001
    return sum(pipelines.values(), start=Pipeline([]))


def used_by(pipeline: Pipeline) -> tuple[set[str], set[str]]:
    """Names of the datasets and of the parameters that the nodes of a pipeline mention."""
    names = {name for node in pipeline.nodes for name in (*node.inputs, *node.outputs)}
    parameters = {n for n in names if n.startswith("params:") or n == "parameters"}
    return names - parameters, {name.removeprefix("params:") for name in parameters}


def test_every_entry_is_versioned(entries: dict[str, Any]) -> None:
    assert [name for name, entry in entries.items() if entry.get("versioned") is not True] == []


def test_every_entry_has_a_known_layer(entries: dict[str, Any]) -> None:
    layers = {
        name: entry.get("metadata", {}).get("kedro-viz", {}).get("layer")
        for name, entry in entries.items()
    }
    assert {name: layer for name, layer in layers.items() if layer not in LAYERS} == {}


@pytest.mark.parametrize("pipeline", ["__default__", "arms", "cold_start", "language_study"])
def test_layers_form_no_circle(patterns: CatalogConfigResolver, pipeline: str) -> None:
    # Kedro-Viz shows no layer at all where one leads back to itself through others.
    def layer(name: str) -> str | None:
        metadata = patterns.resolve_pattern(name).get("metadata") or {}
        return metadata.get("kedro-viz", {}).get("layer")

    # A collapsed stage is one box: what it reads comes before all that it writes for others.
    stages = {str(node.namespace).partition(".")[0] for node in pipelines[pipeline].nodes}
    boxes = [pipelines[pipeline].only_nodes_with_namespaces([stage]) for stage in stages]
    steps = [(node.inputs, node.outputs) for node in pipelines[pipeline].nodes]
    steps += [
        (sorted(box.inputs()), sorted(box.all_outputs() & read_by_others(box))) for box in boxes
    ]
    edges = {
        (layer(source), layer(target))
        for inputs, outputs in steps
        for source in inputs
        for target in outputs
        if not source.startswith("param")
    }
    followers = {name: {b for a, b in edges if a == name and b != name} for name in LAYERS}
    list(TopologicalSorter({name: followers[name] - {None} for name in LAYERS}).static_order())


def read_by_others(box: Pipeline) -> set[str]:
    """Datasets that nodes outside of a stage read in the default run."""
    others = set(pipelines["__default__"].nodes) - set(box.nodes)
    return {name for node in others for name in node.inputs}


def test_no_entry_uses_pickle(entries: dict[str, Any]) -> None:
    kinds = {name: (entry["type"], entry.get("backend")) for name, entry in entries.items()}
    assert {name: kind for name, kind in kinds.items() if "pickle" in str(kind).lower()} == {}


def test_every_dataset_of_a_node_is_in_the_catalog(
    entries: dict[str, Any], patterns: CatalogConfigResolver, whole: Pipeline
) -> None:
    datasets, _ = used_by(whole)
    implicit = [
        name for name in datasets - set(entries) if patterns.match_dataset_pattern(name) is None
    ]
    assert implicit == []


def test_every_entry_is_used(
    entries: dict[str, Any], patterns: CatalogConfigResolver, whole: Pipeline
) -> None:
    datasets, _ = used_by(whole)
    matched = {patterns.match_dataset_pattern(name) for name in datasets - set(entries)}
    assert set(entries) - datasets - matched == set()


def test_every_parameter_is_used_and_every_used_one_defined(
    config: OmegaConfigLoader, whole: Pipeline
) -> None:
    _, used = used_by(whole)
    assert set(config["parameters"]) == {name.split(".")[0] for name in used}


def test_mlflow_marks_are_known(entries: dict[str, Any]) -> None:
    marks = {name: entry.get("metadata", {}).get("mlflow", {}) for name, entry in entries.items()}
    assert {name: mark for name, mark in marks.items() if set(mark) - {"artifact", "metrics"}} == {}


def test_every_pipeline_validates_its_parameters_when_it_runs_alone(
    config: OmegaConfigLoader, whole: Pipeline
) -> None:
    """Kedro matches the inputs of a node to its function's arguments by position only."""
    _, used = used_by(whole)
    groups = {name for name in used if isinstance(config["parameters"].get(name), dict)}
    untyped = {
        pipeline: groups & used_by(nodes)[1] - set(typed_parameters(nodes))
        for pipeline, nodes in pipelines.items()
    }
    assert {pipeline: names for pipeline, names in untyped.items() if names} == {}


def test_every_default_is_visible_in_the_base_environment() -> None:
    bootstrap_project(ROOT)
    loader = OmegaConfigLoader(str(ROOT / "conf"), env="base", **settings.CONFIG_LOADER_ARGS)
    use_parameters(loader["parameters"])
    typed = typed_parameters(sum(pipelines.values(), start=Pipeline([])))
    groups = {n: t for n, t in typed.items() if isinstance(t, type) and issubclass(t, BaseModel)}
    written = loader["parameters"]
    assert [d for name, t in groups.items() for d in differences(name, t, written[name])] == []


def differences(name: str, model: type[BaseModel], written: dict[str, Any]) -> list[str]:
    """What the YAML lacks, has too much or says otherwise than the defaults of a pydantic model."""
    # Presets are resolved to signals; the study of ratings sets the task, a refit the epochs.
    extra = {"behaviour_cleaning": {"signal_presets"}}.get(name, set())
    absent = {"rating_study": {"task", "stop_after"}}.get(name, set())
    keys = set(written) - extra
    missing = set(model.model_fields) - keys - absent
    found = [f"{name}.{key} is not in the YAML" for key in missing]
    found += [f"{name}.{key} is no parameter" for key in keys - set(model.model_fields)]
    for key in keys & set(model.model_fields):
        field = model.model_fields[key]
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            found += differences(f"{name}.{key}", field.annotation, written[key])
        elif field.default is not PydanticUndefined:
            value = TypeAdapter(field.annotation).validate_python(written[key])
            if value != field.default:
                found.append(f"{name}.{key} is {written[key]}, its default is {field.default}")
    return found


def typed_parameters(pipeline: Pipeline) -> dict[str, type]:
    return TypeExtractor({"pipeline": pipeline}).extract_types_from_pipelines()
