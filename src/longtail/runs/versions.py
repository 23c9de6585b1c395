"""Which versions a run reads: the newest complete ones, fixed before the first node."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeGuard

from kedro.io import AbstractVersionedDataset, DataCatalog
from kedro.pipeline import Pipeline

from longtail.private_interfaces import VersionedDataset, save_path, set_load_version
from longtail.runs.records import RunRecords, content_hash


def is_parameter(dataset_name: str) -> bool:
    """Whether a node input is a parameter and not a dataset."""
    return dataset_name == "parameters" or dataset_name.startswith("params:")


def without_transcoding(dataset_name: str) -> str:
    """Return a dataset's name without the part after ``@``."""
    return dataset_name.partition("@")[0]


def steps(pipeline: Pipeline) -> list[tuple[list[str], list[str]]]:
    """Return the names of the datasets that each node reads and writes, in the order of the run."""
    return [
        (
            [without_transcoding(name) for name in node.inputs if not is_parameter(name)],
            [without_transcoding(name) for name in node.outputs],
        )
        for node in pipeline.nodes
    ]


def made_by(pipeline: Pipeline) -> set[str]:
    """Return the datasets that a pipeline makes, without transcoding."""
    return set(map(without_transcoding, pipeline.all_outputs()))


def read_from_outside(pipeline: Pipeline) -> list[str]:
    """Return the catalog entries that a pipeline reads and does not make."""
    made = made_by(pipeline)
    names = sorted(name for name in pipeline.all_inputs() if not is_parameter(name))
    return [name for name in names if without_transcoding(name) not in made]


def versioned(catalog: DataCatalog, name: str) -> VersionedDataset:
    """Return a versioned dataset of the catalog.

    Raises:
        TypeError: If it is not, for example because the catalog has no such entry.
    """
    dataset = catalog[name]
    if not isinstance(dataset, AbstractVersionedDataset):
        raise TypeError(f"The dataset '{name}' is not a versioned entry of the catalog.")
    return dataset


def follows_newest(dataset: object) -> TypeGuard[VersionedDataset]:
    """Whether a dataset loads the newest version, which is what Kedro does by default."""
    own = getattr(type(dataset), "resolve_load_version", None)
    return own is AbstractVersionedDataset.resolve_load_version


def pin_inputs(
    pipeline: Pipeline, catalog: DataCatalog, chosen: Mapping[str, str], records: RunRecords
) -> list[str]:
    """Set the versions that a pipeline's inputs load; return the inputs that do not exist.

    Args:
        pipeline: what will run.
        catalog: its datasets; their load versions are set.
        chosen: versions that the user asks for, by catalog entry.
        records: know which versions are complete.
    """
    missing = []
    for name in read_from_outside(pipeline):
        dataset = catalog[name]
        if follows_newest(dataset):
            version = chosen.get(name) or chosen.get(without_transcoding(name))
            version = version or records.newest_complete(dataset.list_versions(full_path=False))
            if version is None:
                missing.append(name)
                continue
            set_load_version(dataset, version)
        if not dataset.exists():
            missing.append(name)
    return missing


def pin_newest_complete(names: Iterable[str], catalog: DataCatalog, records: RunRecords) -> None:
    """Let datasets load their newest complete version; without one they keep their setting."""
    for name in names:
        dataset = catalog.get(name)
        if follows_newest(dataset):
            version = records.newest_complete(dataset.list_versions(full_path=False))
            if version is not None:
                set_load_version(dataset, version)


def pin_outputs(pipeline: Pipeline, catalog: DataCatalog, version: str) -> None:
    """Let the nodes read what this run saves, even if a later run saves in the meantime."""
    made = made_by(pipeline)
    for name in pipeline.datasets():
        dataset = catalog[name]
        if without_transcoding(name) in made and follows_newest(dataset):
            set_load_version(dataset, version)


def input_versions(pipeline: Pipeline, catalog: DataCatalog) -> dict[str, str]:
    """Return the versions of what a pipeline reads and does not make."""
    datasets = {without_transcoding(name): catalog[name] for name in read_from_outside(pipeline)}
    versions = {
        name: dataset.resolve_load_version()
        for name, dataset in datasets.items()
        if isinstance(dataset, AbstractVersionedDataset)
    }
    return {name: version for name, version in versions.items() if version}


def saved_files(pipeline: Pipeline, catalog: DataCatalog) -> dict[str, Path]:
    """Return the files, and folders of parts, that a pipeline has saved in this run."""
    datasets = {without_transcoding(name): catalog[name] for name in pipeline.all_outputs()}
    paths = {
        name: save_path(dataset)
        for name, dataset in sorted(datasets.items())
        if isinstance(dataset, AbstractVersionedDataset)
    }
    return {name: path for name, path in paths.items() if path.exists()}


def output_hashes(
    pipeline: Pipeline, catalog: DataCatalog, known: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the SHA-256 of everything that a pipeline has saved in this run.

    Args:
        pipeline: what ran.
        catalog: its datasets.
        known: hashes that were computed while it ran.
    """
    paths = saved_files(pipeline, catalog)
    return {name: (known or {}).get(name) or content_hash(path) for name, path in paths.items()}
