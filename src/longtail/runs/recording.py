"""Records a run while it goes on, and takes unchanged nodes from earlier runs."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Any

from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from longtail.errors import UserError
from longtail.private_interfaces import file_path, save_path
from longtail.runs.costs import CostMeter, Costs
from longtail.runs.input_checks import (
    check_data_set,
    check_inputs_exist,
    check_inputs_match,
    check_intact,
)
from longtail.runs.lineage import encoder_precision, parameter_values
from longtail.runs.records import (
    FileState,
    RunRecord,
    RunRecords,
    Status,
    ancestry,
    content_hash,
    content_state,
    has_ended,
    this_process,
)
from longtail.runs.signatures import node_signature
from longtail.runs.staging import link_version, remove_staged
from longtail.runs.versions import (
    follows_newest,
    input_versions,
    output_hashes,
    pin_inputs,
    pin_outputs,
    read_from_outside,
    saved_files,
    steps,
    versioned,
    without_transcoding,
)

logger = logging.getLogger(__name__)


class RunRecorder:
    """Keeps the record of one run after the other, beside their data.

    In a worker process of a parallel run no run is started, and nothing is recorded.

    Attributes:
        meter: times the nodes that fit a model or recommend with it.
    """

    def __init__(self, data_root: Path, env: str = "", data_set: str = "") -> None:
        """Find the records of the runs below a data root.

        Args:
            data_root: where the catalog's datasets are.
            data_set: name of the data that the environment reads.
            env: the environment, for commands in messages.
        """
        self.meter = CostMeter()
        self._records = RunRecords(data_root)
        self._env = env
        self._data_set = data_set
        self._version: str | None = None
        self._catalog = DataCatalog()
        self._saved: Counter[str] = Counter()
        self._lock = Lock()

    def start(
        self, run_params: Mapping[str, Any], pipeline: Pipeline, catalog: DataCatalog
    ) -> None:
        """Pin and check the versions, and record that the run has started.

        The run reads the versions that are the newest complete ones now; what crashed, killed and
        unfinished runs have written is ignored.

        Raises:
            UserError: If an input is missing or damaged, or was made from other data than the other
                inputs, or if another run has the same version.
        """
        chosen = run_params["load_versions"] or {}
        check_inputs_exist(pin_inputs(pipeline, catalog, chosen, self._records), chosen, self._env)
        only_missing = run_params["only_missing_outputs"]
        read = pipeline.datasets() if only_missing else read_from_outside(pipeline)
        check_intact(read, catalog, self._records, self._env)
        inputs = input_versions(pipeline, catalog)
        check_data_set(inputs, self._records, self._data_set, self._env)
        check_inputs_match(inputs, self._records, self._env)
        version = run_params["run_id"]
        if not only_missing:
            pin_outputs(pipeline, catalog, version)
        self._version, self._catalog, self._saved = version, catalog, Counter()
        self.meter = CostMeter()
        self._warn_about_killed_runs()
        record = RunRecord(
            version=version,
            status="running",
            process=this_process(),
            pipelines=tuple(run_params["pipeline_names"] or ("__default__",)),
            data_set=self._data_set,
            inputs=inputs,
            ancestors=ancestry(steps(pipeline), inputs, version, self._records),
        )
        if not self._records.create(record):
            self._version = None
            raise UserError(
                f"Another run has the version {version}: both started in the same millisecond. "
                "Start this one again."
            )

    def _warn_about_killed_runs(self) -> None:
        """Log each killed run once, mark its record and remove what it was saving."""
        datasets = (self._catalog.get(name) for name in self._catalog)
        folders = {file_path(dataset).parent for dataset in datasets if follows_newest(dataset)}
        for record in self._records.newest_first():
            if record.status == "running" and has_ended(record.process):
                logger.warning(
                    "The run %s was killed: its results are ignored. `kedro run --only-changed`"
                    " resumes after the nodes that it had finished.",
                    record.version,
                )
                self._records.write(record.model_copy(update={"status": "killed"}))
                remove_staged(folders, record.version)

    def dataset_saved(self, node: Node) -> None:
        """Record a node once all of its outputs are saved."""
        if self._version is None:
            return
        with self._lock:
            self._saved[node.name] += 1
            if self._saved[node.name] == len(node.outputs):
                paths = save_paths(node, self._catalog)
                files = {name: content_state(path) for name, path in paths.items()}
                hashes = {name: content_hash(path) for name, path in paths.items()}
                signature = node_signature(node, self._catalog, self._records)
                self._add(node.name, signature, hashes, files, self.meter.costs)

    def reuse(self, node: Node, catalog: DataCatalog) -> str | None:
        """Take a node's outputs from an earlier run if nothing that they depend on has changed.

        The outputs become a version of this run: hard links to the same files. Files whose content
        differs from the record are not reused.

        Returns:
            The version that they were taken from; None if the node has to run.
        """
        if not node.outputs:
            return None
        signature = node_signature(node, catalog, self._records)
        paths = save_paths(node, catalog)
        for record in self._records.newest_first():
            if record.signatures.get(node.name) != signature:
                continue
            found = {n: path.parents[1] / record.version / path.name for n, path in paths.items()}
            hashes = {name: record.hashes.get(name) for name in paths}
            if all(path.exists() and content_hash(path) == hashes[n] for n, path in found.items()):
                for name, path in found.items():
                    link_version(path.parent, paths[name].parent)
                version = record.reused.get(node.name, record.version)
                files = {name: content_state(path) for name, path in paths.items()}
                self._add(node.name, signature, hashes, files, record.costs, version)
                return version
        return None

    def _add(
        self,
        node: str,
        signature: str,
        hashes: Mapping[str, str | None],
        files: Mapping[str, tuple[FileState, ...]],
        costs: Costs,
        reused: str | None = None,
    ) -> None:
        """Add a finished node to the record of the run."""
        record = self._records.read(str(self._version))
        assert record is not None
        changes = {
            "signatures": record.signatures | {node: signature},
            "hashes": {**record.hashes, **hashes},
            "files": {**record.files, **files},
            "costs": record.costs | {name: costs[name] for name in hashes if name in costs},
            "reused": record.reused | ({node: reused} if reused else {}),
        }
        self._records.write(record.model_copy(update=changes))

    def complete(self, version: str, pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Record that the run is complete, and the content of what it saved."""
        record = self._records.read(version)
        known = {} if record is None else record.hashes
        found = {name: content_state(path) for name, path in saved_files(pipeline, catalog).items()}
        files = found | ({} if record is None else record.files)
        hashes = known | output_hashes(pipeline, catalog, known)
        precision = encoder_precision(parameter_values(pipeline, catalog))
        self._end("complete", {"hashes": hashes, "files": files, **precision})

    def fail(self) -> None:
        """Record that the run failed: later runs ignore what it saved."""
        # A record that cannot be saved stays "running", and later runs treat this one as killed.
        with suppress(OSError):
            self._end("failed", {})

    def _end(self, status: Status, changes: Mapping[str, Any]) -> None:
        record = self._records.read(str(self._version))
        self._version = None
        if record is not None:
            self._records.write(record.model_copy(update={"status": status, **changes}))


def save_paths(node: Node, catalog: DataCatalog) -> dict[str, Path]:
    """Return where each output of a node is saved in this run."""
    return {without_transcoding(name): save_path(versioned(catalog, name)) for name in node.outputs}
