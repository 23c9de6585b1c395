"""Records of the runs, beside the data: what each run read and wrote, and whether it finished.

``<data root>/.runs/<version>.json`` is written when a run starts, after each node, and when the run
ends. The record of a run that was killed stays "running", so what it wrote never counts as
complete; but a later run can take up what it had finished.
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
        signatures: what each finished node was made from, by its name (``node_signature``).
        reused: the version that an unchanged node's outputs were taken from, by the node's name.
        costs: what saved models cost, by the name of the output: fit_seconds and model_bytes, or
            milliseconds_per_user of the lists.
        process: machine and number of the process that runs it.
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


class RunRecords:
    """The records below one data root."""

    def __init__(self, data_root: Path) -> None:
        self._folder = data_root / ".runs"
        self._known: dict[str, RunRecord | None] = {}

    def write(self, record: RunRecord) -> None:
        """Save the record of a run, so that a reader sees all of it or nothing."""
        self._folder.mkdir(parents=True, exist_ok=True)
        unfinished = self._folder / f"{record.version}.{os.getpid()}"
        unfinished.write_text(record.model_dump_json(indent=1), encoding="utf-8")
        unfinished.replace(self._folder / f"{record.version}.json")
        self._known[record.version] = record

    def read(self, version: str) -> RunRecord | None:
        """Return the record of the run that saved a version, None where there is none."""
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
        """Return the newest of the versions that no unfinished run has written.

        Versions without a record, of data that were put there by hand, count as complete.
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
        """Return what tells the content of a version: its hash, else the version itself."""
        record = self.read(version)
        return version if record is None else record.hashes.get(dataset, version)


def ancestry(
    steps: Iterable[tuple[Iterable[str], Iterable[str]]],
    inputs: Mapping[str, str],
    version: str,
    records: RunRecords,
) -> dict[str, dict[str, str]]:
    """Return, for each dataset that a run makes, the versions of all that it is made from.

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
    """Return the name of the machine and the number of this process."""
    return f"{socket.gethostname()}:{os.getpid()}"


def has_ended(process: str) -> bool:
    """Whether a process of this machine is no longer there; of other machines nothing is known."""
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

    The parts have new names each time; markers and checksums beside them do not count.
    """
    parts = [path] if path.is_file() else sorted(path.glob("[!._]*"))
    digest = hashlib.sha256()
    for part in parts:
        with part.open("rb") as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
    return digest.hexdigest()
