"""Checks before the first node: the inputs exist, are intact and were made from the same data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from kedro.framework.project import pipelines
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline

from longtail.errors import UserError
from longtail.private_interfaces import load_path
from longtail.runs.records import RunRecords
from longtail.runs.versions import follows_newest, made_by, without_transcoding

# What all artifacts of one experiment must have been made from.
SHARED = (
    "items",
    "train_interactions",
    "validation_interactions",
    "test_interactions",
    "item_groups",
    "user_groups",
    "training_histories",
    "validation_histories",
    "past_histories",
    # Lists, leaderboard and what is deployed belong to one gate.
    "hybrid_gate",
)

PATTERN_CHARACTERS = "*?["

# Missing inputs that a message names.
MOST_NAMED = 5


class MixedInputs(NamedTuple):
    """Inputs that were made from different data.

    Attributes:
        shared: the dataset that they should have in common.
        wanted: the version of it that the run reads, else the newest one.
        stale: the inputs that were made from other content, with the version they were made from.
        outdated: everything on the way from the shared datasets to them.
    """

    shared: str
    wanted: str
    stale: dict[str, str]
    outdated: set[str]


def mixed_inputs(inputs: Mapping[str, str], records: RunRecords) -> MixedInputs | None:
    """Return the inputs of a run that were made from different data, None where all agree.

    Args:
        inputs: versions of the inputs, by dataset.
        records: the records of earlier runs.
    """
    origins = {
        name: records.ancestors(name, version) | {name: version} for name, version in inputs.items()
    }
    for shared in SHARED:
        used = {name: origin[shared] for name, origin in origins.items() if shared in origin}
        wanted = inputs.get(shared, max(used.values(), default=""))
        content = records.content(shared, wanted)
        stale = {
            name: version
            for name, version in used.items()
            if records.content(shared, version) != content
        }
        if stale:
            outdated = {
                name
                for dataset in stale
                for name, version in origins[dataset].items()
                if shared in records.ancestors(name, version)
            }
            return MixedInputs(shared, wanted, stale, outdated - set(SHARED) or outdated)
    return None


def check_inputs_match(inputs: Mapping[str, str], records: RunRecords, env: str = "") -> None:
    """Refuse inputs that were made from different data.

    Args:
        inputs: versions of the inputs, by dataset.
        records: the records of earlier runs.
        env: the environment, for the command in the message.

    Raises:
        UserError: If an input was made from other data than the other inputs.
    """
    if mixed := mixed_inputs(inputs, records):
        raise UserError(mixed_inputs_message(mixed, env))


def check_data_set(
    inputs: Mapping[str, str], records: RunRecords, data_set: str, env: str = ""
) -> None:
    """Refuse inputs that were made from another data set than the environment reads.

    Args:
        inputs: versions of the inputs, by dataset.
        records: the records of earlier runs.
        data_set: name of the data that the environment reads.
        env: the environment, for the command in the message.

    Raises:
        UserError: If an input was made from another data set.
    """
    others = {records.data_set(version) for version in inputs.values()} - {"", data_set}
    if others:
        other = min(others)
        raise UserError(
            f"The newest results were made from the data set '{other}', but this environment reads"
            f" '{data_set}'. To go on with '{other}', name its folder in LONGTAIL_DATA or in"
            f" source_folder. To work with '{data_set}', run `{command((), env)}` first. `kedro"
            " new-data` gives each data set an environment of its own."
        )


def check_data_root(data_root: Path) -> None:
    """Refuse a folder in whose path Kedro, looking for versions, sees a pattern.

    Raises:
        UserError: If the path holds one of the characters of patterns.
    """
    if found := sorted(set(PATTERN_CHARACTERS) & set(str(data_root))):
        raise UserError(
            f"The path of the data, {data_root}, holds {' and '.join(found)}, which Kedro takes for"
            " a pattern when it looks for versions. Rename the folder, or set another data_root in"
            " globals.yml."
        )


def check_inputs_exist(missing: Iterable[str], chosen: Mapping[str, str], env: str = "") -> None:
    """Refuse missing inputs that a pipeline of the project makes.

    Args:
        missing: catalog entries without a version to load.
        chosen: versions that the user asked for, by catalog entry.
        env: the environment, for the command in the message.

    Raises:
        UserError: If an input that another pipeline makes, or the version asked for, is missing.
    """
    missing = list(missing)
    for name in missing:
        if version := chosen.get(name):
            raise UserError(f"The dataset '{name}' has no version {version}.")
    registered = all_pipelines()
    makers = {name: maker for name in missing if (maker := maker_of(name, registered))}
    if makers:
        raise UserError(missing_inputs_message(makers, registered, env))


def check_intact(
    names: Iterable[str], catalog: DataCatalog, records: RunRecords, env: str = ""
) -> None:
    """Refuse datasets whose content is no longer what their run recorded.

    Args:
        names: catalog entries; those that do not exist and caches are skipped.
        catalog: its datasets, which load the versions to check.
        records: the records of earlier runs.
        env: the environment, for the command in the message.

    Raises:
        UserError: If one of them is damaged.
    """
    if damages := damaged(names, catalog, records):
        raise UserError(damaged_message(damages, env))


def damaged(names: Iterable[str], catalog: DataCatalog, records: RunRecords) -> dict[str, str]:
    """Return what is wrong with each damaged dataset, by catalog entry: "<file> is empty"."""
    found = {}
    for name in sorted(names):
        dataset = catalog[name]
        if follows_newest(dataset) and dataset.exists():
            version, path = dataset.resolve_load_version(), load_path(dataset)
            if damage := records.damage(without_transcoding(name), str(version), path):
                found[name] = f"{path} {damage}"
    return found


def damaged_message(damages: Mapping[str, str], env: str = "") -> str:
    """Name the first damaged file and the command that makes all of them anew.

    Args:
        damages: what is wrong with each dataset, as ``damaged`` returns it.
        env: the environment.
    """
    registered = all_pipelines()
    makers = {maker_of(name, registered) for name in damages}
    wanted = command(in_order(makers, registered), env)
    others = f" ({len(damages) - 1} more files are damaged)" if len(damages) > 1 else ""
    remedy = f"Run `{wanted}` first." if makers != {None} else "Restore it from a backup."
    return f"{next(iter(damages.values()))}{others}: it was damaged after it was saved. {remedy}"


def all_pipelines() -> Mapping[str, Pipeline]:
    """Return all registered pipelines, also those that were not asked for."""
    pipelines.set_requested(None)
    return pipelines


def maker_of(dataset_name: str, registered: Mapping[str, Pipeline]) -> str | None:
    """Return the name of the registered pipeline that writes a dataset, None where none does."""
    makers = {
        output: name
        for name, pipeline in registered.items()
        if name != "__default__"
        for output in made_by(pipeline)
    }
    return makers.get(without_transcoding(dataset_name))


def missing_inputs_message(
    makers: Mapping[str, str], registered: Mapping[str, Pipeline], env: str = ""
) -> str:
    """Name the missing datasets and the command that makes them.

    Args:
        makers: the pipeline that makes each missing dataset.
        registered: all pipelines, in the order of a run.
        env: the environment.
    """
    missing = sorted({f"'{without_transcoding(name)}'" for name in makers})
    more = f" and {len(missing) - MOST_NAMED} more" if len(missing) > MOST_NAMED else ""
    names = ", ".join(missing[:MOST_NAMED]) + more
    subject, verb = ("dataset", "does") if len(missing) == 1 else ("datasets", "do")
    wanted = command(in_order(makers.values(), registered), env)
    return f"Run `{wanted}` first: the {subject} {names} {verb} not exist yet."


def mixed_inputs_message(mixed: MixedInputs, env: str = "") -> str:
    """Name the inputs that were made from other data and the command that makes them again."""
    name, version = next(iter(mixed.stale.items()))
    others = f" (and {len(mixed.stale) - 1} more)" if len(mixed.stale) > 1 else ""
    registered = all_pipelines()
    makers = {maker_of(dataset, registered) for dataset in mixed.outdated}
    repair = command(in_order(makers, registered), env)
    return (
        f"The inputs of this run were made from different data: '{name}'{others} from version"
        f" {version} of '{mixed.shared}', but the run uses version {mixed.wanted}, which has other"
        f" content. Run `{repair}` first."
    )


def in_order(names: Iterable[str | None], registered: Mapping[str, Pipeline]) -> list[str]:
    """Return the names of pipelines in the order of the registry, which is that of a run."""
    return [name for name in registered if name in set(names) and name != "__default__"]


def command(pipeline_names: Iterable[str], env: str = "") -> str:
    """Return the command that runs some pipelines in an environment, the default one for none."""
    names = ",".join(pipeline_names)
    environment = "" if env in ("", "local") else f" --env={env}"
    return f"kedro run{environment}" + (f" --pipelines={names}" if names else "")
