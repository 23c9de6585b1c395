"""Checks, before anything runs, that the inputs of the requested pipelines exist."""

from collections.abc import Mapping
from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline

from longtail.errors import UserError


class InputHooks:
    """Ends a run whose inputs are missing by naming the pipeline that makes them."""

    @hook_impl(tryfirst=True)
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog
    ) -> None:
        """Stop before the first node where an input of the pipeline is not in the catalog.

        Raises:
            UserError: If an input that another pipeline makes (or a version of it) is missing.
        """
        missing = sorted(
            name
            for name in pipeline.inputs()
            if not is_parameter(name) and not catalog.exists(name)
        )
        if not missing:
            return
        for name in missing:
            if version := (run_params["load_versions"] or {}).get(name):
                raise UserError(f"The dataset '{name}' has no version {version}.")
        pipelines.set_requested(None)
        makers = {name: maker for name in missing if (maker := maker_of(name, pipelines))}
        if makers:
            raise UserError(missing_inputs_message(makers))


def is_parameter(dataset_name: str) -> bool:
    """Whether a node input is a parameter and not a dataset."""
    return dataset_name == "parameters" or dataset_name.startswith("params:")


def maker_of(dataset_name: str, registered: Mapping[str, Pipeline]) -> str | None:
    """Return the name of the registered pipeline that writes a dataset, None where none does."""
    made_by = {
        without_transcoding(output): name
        for name, pipeline in registered.items()
        if name != "__default__"
        for output in pipeline.all_outputs()
    }
    return made_by.get(without_transcoding(dataset_name))


def without_transcoding(dataset_name: str) -> str:
    """Return a dataset's name without the part after ``@``."""
    return dataset_name.partition("@")[0]


def missing_inputs_message(makers: Mapping[str, str]) -> str:
    """Say which datasets are missing and which command makes them."""
    names = ", ".join(sorted({f"'{without_transcoding(name)}'" for name in makers}))
    subject = "The dataset" if len(makers) == 1 else "The datasets"
    verb = "does" if len(makers) == 1 else "do"
    commands = ",".join(dict.fromkeys(makers.values()))
    return f"{subject} {names} {verb} not exist yet. Run `kedro run --pipelines={commands}` first."
