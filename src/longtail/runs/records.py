"""Records of the runs, beside the data: what each run read and wrote, and whether it finished.

``<data root>/.runs/<version>.json`` is written when a run starts, after each node, and when the run
ends. The record of a killed run stays "running", so what it wrote never counts as complete; a later
run can still reuse the nodes that it had finished.
"""

from __future__ import annotations

import hashlib
import logging
import os
import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

from longtail.files import create, replacing

Status = Literal["running", "complete", "failed", "killed"]
CHUNK = 1 << 20
# At the end of the name of a record that cannot be read.
DAMAGED = ".damaged"

logger = logging.getLogger(__name__)


class FileState(NamedTuple):
    """What changes when a file is written: size in bytes and time of the last change in ns."""

    size: int
    modified: int


class RunRecord(BaseModel):
    """One run.

    Attributes:
        version: the save version of everything that the run wrote.
        status: "running" also for a run that was killed.
        pipelines: names of the pipelines that ran.
        data_set: name of the data that the run read, itself or through its inputs; "" in records
            of older versions of the project.
        inputs: versions of the datasets that the run read and did not make.
        ancestors: for each output, versions of all datasets that it was made from, directly or not.
        hashes: SHA-256 of each saved output; of a running run, of the nodes that have finished.
        files: size and time of the last change of the files of each saved output; records of older
            versions of the project lack them.
        signatures: hash of what each finished node depends on (``node_signature``), by its name.
        reused: the version that an unchanged node's outputs were taken from, by the node's name.
        costs: what saved models cost, by the name of the output: fit_seconds and model_bytes, or
            milliseconds_per_user of the lists.
        process: machine and id of the process that runs it.
        encoder_precision: in which a complete run's encoder computes, whatever the parameter
            ``auto`` means on another machine; None for a run without an encoder.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: str
    status: Status
    pipelines: tuple[str, ...] = ()
    data_set: str = ""
    inputs: dict[str, str] = {}
    ancestors: dict[str, dict[str, str]] = {}
    hashes: dict[str, str] = {}
    files: dict[str, tuple[FileState, ...]] = {}
    signatures: dict[str, str] = {}
    reused: dict[str, str] = {}
    costs: dict[str, dict[str, float]] = {}
    process: str = ""
    encoder_precision: str | None = None

    @property
    def is_complete(self) -> bool:
        """Whether the run has finished."""
        return self.status == "complete"


class RunRecords:
    """The records below one data root."""

    def __init__(self, data_root: Path) -> None:
        self._folder = data_root / ".runs"
        self._known: dict[str, RunRecord | None] = {}
        self._damaged: set[str] = set()

    def write(self, record: RunRecord) -> None:
        """Save the record of a run atomically."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with replacing(self._path(record.version)) as partial:
            partial.write_text(record.model_dump_json(indent=1), encoding="utf-8")
        self._known[record.version] = record

    def create(self, record: RunRecord) -> bool:
        """Save the record of a run that starts; return whether no other process has its version."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._path(record.version)
        if not create(path, record.model_dump_json(indent=1)):
            self._known.pop(record.version, None)
            other = self.read(record.version)
            if other is None or other.process != record.process:
                return False
            self.write(record)
        self._known[record.version] = record
        return True

    def read(self, version: str) -> RunRecord | None:
        """Return the record of the run that saved a version, None if there is none.

        A damaged record is set aside with a warning, and counts as none.
        """
        if version not in self._known:
            self._known[version] = self._read(version)
        return self._known[version]

    def _read(self, version: str) -> RunRecord | None:
        path = self._path(version)
        try:
            record = RunRecord.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValidationError):
            record = None
        if record is None or record.version != version:
            self._set_aside(version)
            return None
        return record

    def _set_aside(self, version: str) -> None:
        """Rename a record that cannot be read, and say so."""
        self._damaged.add(version)
        path = self._path(version)
        target = path.with_name(path.name + DAMAGED)
        try:
            path.replace(target)
        except OSError:
            target = path
        logger.warning(
            "The record of the run %s is damaged (%s): what the run saved is ignored.",
            version, target,
        )  # fmt: skip

    def _is_damaged(self, version: str) -> bool:
        """Whether the record of a version was set aside, now or by an earlier run."""
        path = self._path(version)
        return version in self._damaged or path.with_name(path.name + DAMAGED).exists()

    def _path(self, version: str) -> Path:
        return self._folder / f"{version}.json"

    def newest_first(self) -> Iterator[RunRecord]:
        """Yield the records of all runs, the newest first."""
        for path in sorted(self._folder.glob("*.json"), reverse=True):
            record = self.read(path.stem)
            if record is not None:
                yield record

    def newest_complete(self, versions: Iterable[str]) -> str | None:
        """Return the newest version that a complete run has written, None if there is none.

        Versions without a record, such as data copied in by hand, count as complete; versions whose
        record is damaged do not.
        """
        for version in sorted(versions, reverse=True):
            record = self.read(version)
            complete = not self._is_damaged(version) if record is None else record.is_complete
            if complete:
                return version
        return None

    def ancestors(self, dataset: str, version: str) -> dict[str, str]:
        """Return the versions of everything that a version of a dataset was made from."""
        record = self.read(version)
        return {} if record is None else record.ancestors.get(dataset, {})

    def data_set(self, version: str) -> str:
        """Return the name of the data that a version was made from; "" where it is not recorded."""
        record = self.read(version)
        return "" if record is None else record.data_set

    def content(self, dataset: str, version: str) -> str:
        """Return the hash of a version's content, or the version if no hash is recorded."""
        record = self.read(version)
        return version if record is None else record.hashes.get(dataset, version)

    def damage(
        self, dataset: str, version: str, path: Path, always_hash: bool = False
    ) -> str | None:
        """Return how a saved version differs from what its run recorded, None if it does not.

        The content is hashed only if size or time of the last change differ from the record, or if
        the record lacks them; if the hash is right, the record gets them. A version without a
        recorded hash, such as data copied in by hand, is not checked.

        Args:
            dataset: name of the dataset.
            version: which version of it.
            path: its file, or its folder of parts.
            always_hash: hash the content in any case, and leave the record as it is.

        Returns:
            The end of a sentence that begins with the file: "is empty", for example.
        """
        record = self.read(version)
        if record is None or dataset not in record.hashes:
            return None
        before, now = record.files.get(dataset), content_state(path)
        if before == now and not always_hash:
            return None
        if content_hash(path) == record.hashes[dataset]:
            # The record of a run that goes on belongs to another process.
            if not always_hash and record.is_complete:
                # A record that cannot be saved costs only time.
                with suppress(OSError):
                    self.write(record.model_copy(update={"files": record.files | {dataset: now}}))
            return None
        return _difference(before, now)


def ancestry(
    steps: Iterable[tuple[Iterable[str], Iterable[str]]],
    inputs: Mapping[str, str],
    version: str,
    records: RunRecords,
) -> dict[str, dict[str, str]]:
    """Return the versions of everything that each output of a run is made from.

    Args:
        steps: names of the inputs and outputs of every node, in the order of the run.
        inputs: versions of the run's inputs.
        version: the version that the run saves.
        records: the records of earlier runs.
    """
    made: dict[str, dict[str, str]] = {}
    for reads, writes in steps:
        parents: dict[str, str] = {}
        for name in sorted(set(reads) & (set(inputs) | set(made))):
            parents |= made[name] if name in made else records.ancestors(name, inputs[name])
            parents[name] = version if name in made else inputs[name]
        made |= dict.fromkeys(writes, parents)
    return made


def this_process() -> str:
    """Return the name of the machine and the id of this process."""
    return f"{socket.gethostname()}:{os.getpid()}"


def has_ended(process: str) -> bool:
    """Whether a process has ended; false for processes of other machines, which are unknown."""
    machine, _, number = process.rpartition(":")
    if machine != socket.gethostname() or not number.isdecimal():
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def name_of_data(settings: Mapping[str, Any]) -> str:
    """Return the name of the data set: ``data_name``, or that of the folder of its files.

    Args:
        settings: the globals of the configuration.
    """
    if name := settings.get("data_name"):
        return str(name)
    return Path(str(settings["source_folder"]).replace("\\${", "${")).name


def content_hash(path: Path) -> str:
    """Return the SHA-256 of a file's content, or of all parts of a table that Spark wrote.

    Spark names the parts anew each time; names, markers and checksums do not count.
    """
    digest = hashlib.sha256()
    for part in _parts(path):
        with part.open("rb") as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
    return digest.hexdigest()


def content_state(path: Path) -> tuple[FileState, ...]:
    """Return size and time of the last change of a file, or of each part of a table."""
    states = [part.stat() for part in _parts(path)]
    return tuple(FileState(state.st_size, state.st_mtime_ns) for state in states)


def _difference(before: tuple[FileState, ...] | None, now: tuple[FileState, ...]) -> str:
    """Return how files with other content than recorded differ, as the end of a sentence.

    Args:
        before: their recorded states, None if there are none.
        now: their states.
    """
    if not now:
        return "is missing"
    size = sum(part.size for part in now)
    if not size:
        return "is empty"
    saved = sum(part.size for part in before or ())
    if before and saved != size:
        return f"has {size:,} bytes instead of {saved:,}"
    return "has other content than its run saved"


def _parts(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    return sorted(part for part in path.rglob("[!._]*") if part.is_file())
