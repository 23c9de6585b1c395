"""Which saved versions no longer serve anything, and their removal."""

from __future__ import annotations

import os
import shutil
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from longtail.runs.records import RunRecord, RunRecords, has_ended


class OldVersions(NamedTuple):
    """What can be removed below a data root.

    Attributes:
        versions: runs whose files can go, the oldest first.
        folders: of these versions, one for each dataset that they saved.
        size: of the files in bytes; files that other versions share count too.
        kept: number of runs whose files stay.
    """

    versions: list[str]
    folders: list[Path]
    size: int
    kept: int


def old_versions(
    data_root: Path, records: RunRecords, keep: int, needed: Iterable[str] = ()
) -> OldVersions:
    """Return the versions that can be removed below a data root.

    What stays: the newest complete runs, runs that go on, the newest complete version of each
    dataset, the versions that are named, everything that these were made from, and versions
    without a record, such as data copied in by hand.

    Args:
        data_root: of the environment; the data roots of others below it are not looked at.
        records: its runs.
        keep: number of complete runs to keep, at least 1.
        needed: versions that something else reads.
    """
    runs = {record.version: record for record in records.newest_first()}
    folders = _version_folders(data_root, set(runs))
    complete = [version for version, record in runs.items() if record.is_complete]
    newest = (
        records.newest_complete(found.name for found in of_dataset)
        for of_dataset in _by_dataset(folders).values()
    )
    going_on = [version for version, record in runs.items() if _goes_on(record)]
    stays = _with_origins([*complete[:keep], *going_on, *needed, *filter(None, newest)], runs)
    old = [folder for folder in folders if folder.name not in stays]
    files = (path for folder in old for path in folder.rglob("*") if path.is_file())
    versions = sorted(set(runs) - stays)
    return OldVersions(
        versions, old, sum(f.stat().st_size for f in files), len(runs.keys() & stays)
    )


def remove(old: OldVersions, data_root: Path) -> None:
    """Remove the folders of old versions, and then the records of their runs.

    A version whose removal is cut short keeps its record, and is found again.
    """
    for folder in old.folders:
        shutil.rmtree(folder)
    for version in old.versions:
        (data_root / ".runs" / f"{version}.json").unlink(missing_ok=True)


def _with_origins(versions: Iterable[str], runs: dict[str, RunRecord]) -> set[str]:
    """Return versions with all that they were made from, directly or not."""
    found: set[str] = set()
    waiting = list(versions)
    while waiting:
        version = waiting.pop()
        if version in found:
            continue
        found.add(version)
        if record := runs.get(version):
            waiting += record.inputs.values()
            waiting += (origin for made in record.ancestors.values() for origin in made.values())
    return found


def _goes_on(record: RunRecord) -> bool:
    return record.status == "running" and not has_ended(record.process)


def _version_folders(data_root: Path, versions: set[str]) -> list[Path]:
    """Return the folders below a data root that have the name of one of the versions."""
    found = []
    for root, folders, _ in os.walk(data_root):
        place = Path(root)
        if place != data_root and ".runs" in folders:
            folders.clear()
            continue
        found += [place / name for name in folders if name in versions]
        folders[:] = [name for name in folders if name not in versions and name[0] != "."]
    return sorted(found)


def _by_dataset(folders: Iterable[Path]) -> dict[Path, list[Path]]:
    grouped: dict[Path, list[Path]] = defaultdict(list)
    for folder in folders:
        grouped[folder.parent].append(folder)
    return grouped
