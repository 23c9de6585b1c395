"""Records of the runs, beside the data: what each run read and wrote, and whether it finished.

``<data root>/.runs/<version>.json`` is written when a run starts, after each node, and when the run
ends. The record of a killed run stays "running", so what it wrote never counts as complete; a later
run can still reuse the nodes that it had finished.
"""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

Status = Literal["running", "complete", "failed", "killed"]
CHUNK = 1 << 20


class RunRecord(BaseModel):
    """One run.

    Attributes:
        version: the save version of everything that the run wrote.
        status: "running" also for a run that was killed.
        pipelines: names of the pipelines that ran.
        inputs: versions of the datasets that the run read and did not make.
        ancestors: for each output, versions of all datasets that it was made from, directly or not.
        hashes: SHA-256 of each saved output; of a running run, of the nodes that have finished.
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
    inputs: dict[str, str] = {}
    ancestors: dict[str, dict[str, str]] = {}
    hashes: dict[str, str] = {}
    signatures: dict[str, str] = {}
    reused: dict[str, str] = {}
    costs: dict[str, dict[str, float]] = {}
    process: str = ""
    encoder_precision: str | None = None


class RunRecords:
    """The records below one data root."""

    def __init__(self, data_root: Path) -> None:
        self._folder = data_root / ".runs"
        self._known: dict[str, RunRecord | None] = {}

    def write(self, record: RunRecord) -> None:
        """Save the record of a run atomically."""
        self._folder.mkdir(parents=True, exist_ok=True)
        unfinished = self._folder / f"{record.version}.{os.getpid()}"
        unfinished.write_text(record.model_dump_json(indent=1), encoding="utf-8")
        unfinished.replace(self._folder / f"{record.version}.json")
        self._known[record.version] = record

    def read(self, version: str) -> RunRecord | None:
        """Return the record of the run that saved a version, None if there is none."""
        if version not in self._known:
            path = self._folder / f"{version}.json"
            self._known[version] = (
                RunRecord.model_validate_json(path.read_text("utf-8")) if path.is_file() else None
            )
        return self._known[version]

    def newest_first(self) -> Iterator[RunRecord]:
        """Yield the records of all runs, the newest first."""
        for path in sorted(self._folder.glob("*.json"), reverse=True):
            record = self.read(path.stem)
            if record is not None:
                yield record

    def newest_complete(self, versions: Iterable[str]) -> str | None:
        """Return the newest version that a complete run has written, None if there is none.

        Versions without a record, such as data copied in by hand, count as complete.
        """
        for version in sorted(versions, reverse=True):
            record = self.read(version)
            if record is None or record.status == "complete":
                return version
        return None

    def ancestors(self, dataset: str, version: str) -> dict[str, str]:
        """Return the versions of everything that a version of a dataset was made from."""
        record = self.read(version)
        return {} if record is None else record.ancestors.get(dataset, {})

    def content(self, dataset: str, version: str) -> str:
        """Return the hash of a version's content, or the version if no hash is recorded."""
        record = self.read(version)
        return version if record is None else record.hashes.get(dataset, version)


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
    if machine != socket.gethostname():
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def content_hash(path: Path) -> str:
    """Return the SHA-256 of a file's content, or of all parts of a table that Spark wrote.

    Spark names the parts anew each time; names, markers and checksums do not count.
    """
    parts = [path] if path.is_file() else sorted(path.glob("[!._]*"))
    digest = hashlib.sha256()
    for part in parts:
        with part.open("rb") as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
    return digest.hexdigest()
