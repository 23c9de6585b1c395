"""Every dataset appears in one step: it is saved in a hidden folder beside its place first."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from longtail.files import link_or_copy, sync
from longtail.private_interfaces import (
    VersionedDataset,
    file_path,
    save_path,
    set_file_path,
)


def staging_folder(path: Path, version: str) -> Path:
    """Return the hidden folder in which a version of a file is saved.

    Args:
        path: the path of the dataset as the catalog gives it; its versions lie below.
        version: the version that is saved.
    """
    return path.parent / f".{version}.{path.name}.staged"


class Staging:
    """Lets datasets save in their hidden folders, and puts what they saved in place.

    Readers, also other programs, see no version or a whole one, whatever the class of the dataset.
    """

    def __init__(self) -> None:
        self._places: dict[str, Path] = {}

    def begin(self, name: str, dataset: VersionedDataset) -> None:
        """Let a dataset save beside its place.

        Args:
            name: of the dataset.
            dataset: about to be saved.
        """
        place = file_path(dataset)
        # Kedro refuses to replace a version, with a sentence.
        if save_path(dataset).exists():
            return
        folder = staging_folder(place, str(dataset.resolve_save_version()))
        shutil.rmtree(folder, ignore_errors=True)
        self._places[name] = place
        set_file_path(dataset, folder / place.name)

    def finish(self, name: str, dataset: VersionedDataset) -> None:
        """Put what a dataset has saved in place, in one step.

        Raises:
            OSError: if it cannot be put there.
        """
        place = self._places.pop(name, None)
        if place is None:
            return
        staged = save_path(dataset)
        set_file_path(dataset, place)
        put_in_place(staged.parent, save_path(dataset).parent)
        shutil.rmtree(staging_folder(place, staged.parent.name), ignore_errors=True)

    def give_up(self, names_and_datasets: Iterable[tuple[str, VersionedDataset]]) -> None:
        """Remove what a failed run was saving, which also frees the space of a full disk."""
        for name, dataset in names_and_datasets:
            place = self._places.pop(name, None)
            if place is not None:
                set_file_path(dataset, place)
                folder = staging_folder(place, str(dataset.resolve_save_version()))
                shutil.rmtree(folder, ignore_errors=True)


def put_in_place(staged: Path, folder: Path) -> None:
    """Move a folder to its place in one step, once its files are on the disk."""
    for file in staged.rglob("*"):
        sync(file)
    folder.parent.mkdir(parents=True, exist_ok=True)
    staged.replace(folder)
    # Not every file system can do this for a folder.
    with suppress(OSError):
        sync(folder.parent)


def link_version(source: Path, target: Path) -> None:
    """Make a folder a version of its own, in one step: hard links to the same files.

    Args:
        source: folder of a version.
        target: folder of the new version of the same dataset.
    """
    folder = staging_folder(target.parent, target.name)
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(source, folder, copy_function=link_or_copy)
    target.parent.mkdir(parents=True, exist_ok=True)
    folder.replace(target)


def remove_staged(folders: Iterable[Path], version: str) -> None:
    """Remove what a killed run was saving.

    Args:
        folders: those that datasets lie in.
        version: of the killed run.
    """
    for folder in folders:
        for staged in folder.glob(f".{version}.*.staged"):
            shutil.rmtree(staged, ignore_errors=True)
