"""Checks, before anything runs, that the inputs of a run exist and belong together."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline

from longtail.errors import UserError
from longtail.hooks.records import RunRecord, RunRecords, Status, ancestry
from longtail.hooks.versions import (
    MixedInputs,
    input_versions,
    mixed_inputs,
    output_hashes,
    pin_inputs,
    pin_outputs,
    steps,
    without_transcoding,
)

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
        record = RunRecord(
            version=version,
            status="running",
            pipelines=tuple(run_params["pipeline_names"] or ("__default__",)),
            inputs=inputs,
            ancestors=ancestry(steps(pipeline), inputs, version, self._records),
        )
        self._records.write(record)

    @hook_impl(tryfirst=True)
    def after_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog
    ) -> None:
        """Record that the run is complete, and the content of what it saved."""
        self._end(run_params["run_id"], "complete", output_hashes(pipeline, catalog))

    @hook_impl
    def on_pipeline_error(self, run_params: dict[str, Any]) -> None:
        """Record that the run failed: later runs leave aside what it saved."""
        self._end(run_params["run_id"], "failed", {})

    def _end(self, version: str, status: Status, hashes: dict[str, str]) -> None:
        record = self._records.read(version)
        if record is not None:
            self._records.write(record.model_copy(update={"status": status, "hashes": hashes}))


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
