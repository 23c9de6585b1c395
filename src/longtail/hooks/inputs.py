"""Checks, before anything runs, that the inputs of a run exist and belong together."""

import logging
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from longtail.errors import UserError
from longtail.files import link_or_copy
from longtail.hooks.costs import CostMeter, Costs
from longtail.hooks.records import (
    RunRecord,
    RunRecords,
    Status,
    ancestry,
    content_hash,
    has_ended,
    this_process,
)
from longtail.hooks.signatures import node_signature
from longtail.hooks.versions import (
    MixedInputs,
    input_versions,
    mixed_inputs,
    output_hashes,
    pin_inputs,
    pin_outputs,
    save_path,
    steps,
    without_transcoding,
)

logger = logging.getLogger(__name__)

PIPELINE_ORDER = (
    "behaviour_cleaning",
    "item_encoding",
    "als_baseline",
    "hybrid_scoring",
    "evaluation",
)


class InputHooks:
    """Pins the newest complete versions, refuses mixed ones, and records what the run makes.

    A run reads the versions that were the newest complete ones when it started: what runs have
    written that crashed, were killed or still go on is left aside.
    """

    def __init__(self) -> None:
        self._records = RunRecords(Path())
        self._env = ""
        self._version: str | None = None
        self._catalog = DataCatalog()
        self._saved: Counter[str] = Counter()
        self._meter = CostMeter()
        self._lock = Lock()

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Find the records of this environment's runs."""
        data_root = context.config_loader["globals"]["data_root"]
        self._records = RunRecords(context.project_path / data_root)
        self._env = context.env or ""

    @hook_impl(tryfirst=True)
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog
    ) -> None:
        """Pin and check the versions, and record that the run has started.

        Raises:
            UserError: If an input is missing, or was made from other data than the other inputs.
        """
        chosen = run_params["load_versions"] or {}
        check_inputs_exist(pin_inputs(pipeline, catalog, chosen, self._records), chosen, self._env)
        inputs = input_versions(pipeline, catalog)
        if mixed := mixed_inputs(inputs, self._records):
            raise UserError(mixed_inputs_message(mixed, self._env))
        version = run_params["run_id"]
        if not run_params["only_missing_outputs"]:
            pin_outputs(pipeline, catalog, version)
        self._version, self._catalog, self._saved = version, catalog, Counter()
        self._meter = CostMeter()
        self._tell_killed()
        record = RunRecord(
            version=version,
            status="running",
            process=this_process(),
            pipelines=tuple(run_params["pipeline_names"] or ("__default__",)),
            inputs=inputs,
            ancestors=ancestry(steps(pipeline), inputs, version, self._records),
        )
        self._records.write(record)

    def _tell_killed(self) -> None:
        """Say once which runs ended without a word."""
        for record in self._records.newest_first():
            if record.status == "running" and has_ended(record.process):
                logger.warning(
                    "The run %s was killed: what it saved is left aside. `kedro run --only-changed`"
                    " goes on from the nodes that it had finished.",
                    record.version,
                )
                self._records.write(record.model_copy(update={"status": "killed"}))

    @hook_impl(trylast=True)
    def before_node_run(self, node: Node) -> None:
        """Start the clock."""
        self._meter.start(node)

    @hook_impl(tryfirst=True)
    def after_node_run(self, node: Node, outputs: dict[str, Any]) -> None:
        """Keep what a model costs."""
        self._meter.stop(node, outputs)

    @hook_impl
    def after_dataset_saved(self, node: Node) -> None:
        """Record a node whose outputs are all saved; in a worker process there is no record."""
        if self._version is None:
            return
        with self._lock:
            self._saved[node.name] += 1
            if self._saved[node.name] == len(node.outputs):
                paths = {without_transcoding(n): save_path(self._catalog[n]) for n in node.outputs}
                hashes = {name: content_hash(path) for name, path in paths.items()}
                signature = node_signature(node, self._catalog, self._records)
                self._add(node.name, signature, hashes, self._meter.costs)

    def reuse(self, node: Node, catalog: DataCatalog) -> str | None:
        """Take a node's outputs from an earlier run where nothing that they depend on has changed.

        They become a version of this run: a second name of the same files. Content that is not as
        recorded is not taken.

        Returns:
            The version that they were taken from; None where the node has to run.
        """
        if not node.outputs:
            return None
        signature = node_signature(node, catalog, self._records)
        paths = {without_transcoding(name): save_path(catalog[name]) for name in node.outputs}
        for record in self._records.newest_first():
            if record.signatures.get(node.name) != signature:
                continue
            found = {n: path.parents[1] / record.version / path.name for n, path in paths.items()}
            hashes = {name: record.hashes.get(name) for name in paths}
            if all(path.exists() and content_hash(path) == hashes[n] for n, path in found.items()):
                for name, path in found.items():
                    shutil.copytree(path.parent, paths[name].parent, copy_function=link_or_copy)
                version = record.reused.get(node.name, record.version)
                self._add(node.name, signature, hashes, record.costs, version)
                return version
        return None

    def _add(
        self,
        node: str,
        signature: str,
        hashes: Mapping[str, Any],
        costs: Costs,
        reused: str | None = None,
    ) -> None:
        """Add a finished node to the record of the run."""
        record = self._records.read(str(self._version))
        assert record is not None
        changes = {
            "signatures": record.signatures | {node: signature},
            "hashes": {**record.hashes, **hashes},
            "costs": record.costs | {name: costs[name] for name in hashes if name in costs},
            "reused": record.reused | ({node: reused} if reused else {}),
        }
        self._records.write(record.model_copy(update=changes))

    @hook_impl(tryfirst=True)
    def after_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog
    ) -> None:
        """Record that the run is complete, and the content of what it saved."""
        record = self._records.read(run_params["run_id"])
        known = {} if record is None else record.hashes
        self._end("complete", output_hashes(pipeline, catalog, known))

    @hook_impl
    def on_pipeline_error(self) -> None:
        """Record that the run failed: later runs leave aside what it saved."""
        # Where this cannot be saved either, the run looks killed to later ones, which is as good.
        with suppress(OSError):
            self._end("failed", {})

    def _end(self, status: Status, hashes: dict[str, str]) -> None:
        record = self._records.read(str(self._version))
        self._version = None
        if record is not None:
            changes = {"status": status, "hashes": record.hashes | hashes}
            self._records.write(record.model_copy(update=changes))


def check_inputs_exist(missing: Iterable[str], chosen: Mapping[str, str], env: str = "") -> None:
    """Say which inputs do not exist and how to make them.

    Raises:
        UserError: If an input that another pipeline makes (or a version of it) is missing.
    """
    pipelines.set_requested(None)
    for name in missing:
        if version := chosen.get(name):
            raise UserError(f"The dataset '{name}' has no version {version}.")
    makers = {name: maker for name in missing if (maker := maker_of(name, pipelines))}
    if makers:
        raise UserError(missing_inputs_message(makers, env))


def maker_of(dataset_name: str, registered: Mapping[str, Pipeline]) -> str | None:
    """Return the name of the registered pipeline that writes a dataset, None where none does."""
    made_by = {
        without_transcoding(output): name
        for name, pipeline in registered.items()
        if name != "__default__"
        for output in pipeline.all_outputs()
    }
    return made_by.get(without_transcoding(dataset_name))


def missing_inputs_message(makers: Mapping[str, str], env: str = "") -> str:
    """Say which datasets are missing and which command makes them."""
    names = ", ".join(sorted({f"'{without_transcoding(name)}'" for name in makers}))
    subject = "The dataset" if len(makers) == 1 else "The datasets"
    verb = "does" if len(makers) == 1 else "do"
    wanted = command(dict.fromkeys(makers.values()), env)
    return f"{subject} {names} {verb} not exist yet. Run `{wanted}` first."


def mixed_inputs_message(mixed: MixedInputs, env: str = "") -> str:
    """Say which inputs were made from other data, and which command makes them anew."""
    name, version = next(iter(mixed.stale.items()))
    others = f" (and {len(mixed.stale) - 1} more)" if len(mixed.stale) > 1 else ""
    pipelines.set_requested(None)
    makers = {maker_of(dataset, pipelines) for dataset in mixed.outdated}
    repair = command([pipeline for pipeline in PIPELINE_ORDER if pipeline in makers], env)
    return (
        f"The inputs of this run do not belong together: '{name}'{others} was made from version"
        f" {version} of '{mixed.shared}', and the run is about version {mixed.wanted}, which"
        f" differs. Run `{repair}` first."
    )


def command(pipeline_names: Iterable[str], env: str = "") -> str:
    """Return the command that runs some pipelines in an environment."""
    option = "" if env in ("", "local") else f" --env={env}"
    return f"kedro run{option} --pipelines={','.join(pipeline_names)}"
