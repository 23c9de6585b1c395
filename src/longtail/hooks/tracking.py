"""Records every run in MLflow: parameters, versions of the inputs, code, metrics and artifacts.

kedro-mlflow configures the store and opens and closes the runs. What a dataset contributes is said
in the catalog, under ``metadata: mlflow:``

- ``metrics: true``: the numbers of a JSON dataset become metrics; of a leaderboard, its headlines.
- ``artifact: true``: the saved file is attached to the run.
"""

import json
import logging
import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import wraps
from pathlib import Path
from time import time
from typing import Any

import mlflow
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import AbstractVersionedDataset, DataCatalog
from kedro.pipeline import Pipeline
from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from pydantic import BaseModel
from sqlalchemy.exc import SQLAlchemyError

from longtail.hooks.costs import by_model
from longtail.hooks.extras import (
    TrackingParameters,
    differences,
    log_trials,
    saved_curves,
    saved_trials,
)
from longtail.hooks.lineage import (
    LINEAGE_FILE,
    code_revision,
    dataset_inputs,
    inherited,
    lineage_of,
    runs_of_versions,
    upstream_parameters,
)
from longtail.hooks.records import RunRecords, has_ended, this_process
from longtail.hooks.registry import REGISTERED_MODEL, SERVED, log_hybrid, makes_hybrid
from longtail.hooks.versions import (
    input_versions,
    is_parameter,
    pin_newest_complete,
    set_load_version,
)

# kedro-mlflow's model class, which is not used here, makes MLflow warn on import, past any filter.
with warnings.catch_warnings(record=True):
    from kedro_mlflow.framework.hooks.mlflow_hook import MlflowHook

# Importing it sets INFO, which no logging configuration can take back.
logging.getLogger("kedro_mlflow").setLevel(logging.WARNING)
logger = logging.getLogger(__name__)

PROCESS = "process"
BATCH_SIZE = 100
MAX_PARAMETER_LENGTH = 6000
MAX_NAME_LENGTH = 250
MAX_NAMED_PARAMETERS = 3


def results_first(method: Callable[..., None]) -> Callable[..., None]:
    """Let a run go on when MLflow fails: its results are in the catalog all the same."""

    @wraps(method)
    def tolerant(hooks: "TrackingHooks", *args: Any, **kwargs: Any) -> None:
        try:
            method(hooks, *args, **kwargs)
        except (MlflowException, SQLAlchemyError, OSError) as error:
            logger.warning(
                "MLflow failed (%s): the run goes on untracked, its results are saved.",
                str(error).splitlines()[0],
            )
            hooks.tracked = False

    return tolerant


class TrackingHooks(MlflowHook):
    """kedro-mlflow's run life-cycle with this project's parameters, lineage, metrics and artifacts.

    kedro-mlflow logs a typed parameter as one string, node by node; this class logs each of its
    fields, in one batch before the first node.
    """

    def __init__(self) -> None:
        super().__init__()
        self.tracked = True
        self._data_name = ""
        self._parameters = TrackingParameters()
        self._records = RunRecords(Path())

    @property
    def _client(self) -> MlflowClient:
        return self.mlflow_config.server._mlflow_client

    @property
    def _experiment(self) -> str:
        experiment = self.mlflow_config.tracking.experiment._experiment
        return str(experiment.experiment_id)

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Configure MLflow and remember which data the run is about."""
        self.tracked = True
        self._data_name = Path(context.config_loader["globals"]["source_folder"]).name
        self._records = RunRecords(
            context.project_path / context.config_loader["globals"]["data_root"]
        )
        self._parameters = TrackingParameters(**context.config_loader["tracking"])
        self._configure(context)

    @results_first
    def _configure(self, context: KedroContext) -> None:
        super().after_context_created(context)

    @hook_impl
    def after_catalog_created(self) -> None:
        """Leave the catalog alone: it holds no MLflow datasets."""

    @hook_impl
    def before_node_run(self) -> None:
        """Leave it: the parameters of all nodes were logged when the run started."""

    @hook_impl(trylast=True)
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog
    ) -> None:
        """Open the run and log its parameters, the versions of its inputs and the code's."""
        if self.tracked:
            self._start(run_params, pipeline, catalog)

    @results_first
    def _start(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog) -> None:
        names = run_params["pipeline_names"] or ["all"]
        self.mlflow_config.tracking.run.name = run_name(
            self._data_name, names, run_params["run_id"], run_params["runtime_params"]
        )
        mlflow.environment_variables.MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING.set(
            self._parameters.system_metrics
        )
        super().before_pipeline_run(run_params, pipeline, catalog)
        logger.info("MLflow run '%s'", self.mlflow_config.tracking.run.name)
        inputs = input_versions(pipeline, catalog)
        tags = {
            "dataset": self._data_name,
            PROCESS: this_process(),
            "env": run_params["env"] or "local",
            "pipelines": "+".join(names),
            "kedro_command": kedro_command(run_params),
            **{f"in.{name}": version for name, version in inputs.items()},
            **code_revision(Path(run_params["project_path"])),
        }
        self._end_killed_runs()
        params = used_parameters(pipeline, catalog)
        upstream = upstream_parameters(runs_of_versions(self._client, self._experiment, inputs))
        own = {name: text(value) for name, value in params.items()}
        self._log(params=own | inherited(upstream, own), tags=tags)
        self._client.log_inputs(self.run_id, datasets=dataset_inputs(inputs, pipeline, catalog))

    def _end_killed_runs(self) -> None:
        """Mark runs whose process is no longer there: MLflow would show them running for ever."""
        for run in self._client.search_runs([self._experiment], "attributes.status = 'RUNNING'"):
            if has_ended(run.data.tags.get(PROCESS, "")):
                self._client.set_terminated(run.info.run_id, "KILLED")

    @hook_impl(tryfirst=True)
    def after_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog
    ) -> None:
        """Log the metrics and artifacts of what the run saved, and close the run."""
        if self.tracked:
            self._finish(run_params, pipeline, catalog)

    @results_first
    def _finish(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog) -> None:
        try:
            metrics = saved_metrics(pipeline, catalog) | self._costs(run_params["run_id"])
            self._log(metrics=metrics, tags=split_tags(pipeline, catalog))
            for path in saved_artifacts(pipeline, catalog):
                self._client.log_artifact(self.run_id, str(path))
            reused = self._reused(run_params["run_id"])
            lineage = lineage_of(run_params, pipeline, catalog) | {"reused": reused}
            self._client.log_dict(self.run_id, lineage, LINEAGE_FILE)
            fresh = Pipeline([node for node in pipeline.nodes if node.name not in reused])
            self._log_extras(fresh, catalog)
        finally:
            super().after_pipeline_run(run_params, pipeline, catalog)

    def _costs(self, version: str) -> dict[str, float]:
        """Return what the models of this run cost, also those taken from earlier runs."""
        record = self._records.read(version)
        found = {} if record is None else by_model(record.costs)
        return flatten(found)

    def _reused(self, version: str) -> dict[str, str]:
        """Return the nodes of this run that were taken from runs that MLflow knows all about.

        Of runs that were killed or failed it has no trials, curves and models yet.
        """
        record = self._records.read(version)
        taken = {} if record is None else record.reused
        origins = {name: self._records.read(origin) for name, origin in taken.items()}
        return {
            name: origin.version
            for name, origin in origins.items()
            if origin is not None and origin.status == "complete"
        }

    def _log_extras(self, pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Log differences to the baseline, training curves, trials and the model.

        Args:
            pipeline: the nodes that ran, without those taken unchanged from an earlier run.
            catalog: the datasets of the run.
        """
        run = self._client.get_run(self.run_id)
        metrics, tags = differences(self._client, run)
        self._log(metrics=metrics, tags=tags)
        for batch in batches(saved_curves(pipeline, catalog)):
            self._client.log_batch(self.run_id, metrics=batch)
        if self._parameters.log_trials:
            log_trials(self._client, run, saved_trials(pipeline, catalog))
        if self._parameters.log_model and makes_hybrid(pipeline):
            pin_newest_complete(set(SERVED) - pipeline.datasets(), catalog, self._records)
            if missing := [name for name in SERVED if not catalog[name].exists()]:
                logger.info("The hybrid is not registered: there is no %s.", ", ".join(missing))
                return
            version = log_hybrid(self._client, self.run_id, catalog)
            logger.info("Registered the hybrid: models:/%s/%s", REGISTERED_MODEL, version)

    @hook_impl
    def on_pipeline_error(
        self, error: Exception, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog
    ) -> None:
        """Mark the run as failed."""
        if self.tracked:
            self._fail(error, run_params, pipeline, catalog)

    @results_first
    def _fail(self, error: Exception, *run: Any) -> None:
        self._log(tags={"error": str(error)})
        super().on_pipeline_error(error, *run)

    def _log(
        self,
        params: Mapping[str, Any] | None = None,
        metrics: Mapping[str, float] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Log to the run by its id, which is safe in every thread."""
        now = int(time() * 1000)
        for batch in batches([Param(name, text(value)) for name, value in (params or {}).items()]):
            self._client.log_batch(self.run_id, params=batch)
        for batch in batches([Metric(name, v, now, 0) for name, v in (metrics or {}).items()]):
            self._client.log_batch(self.run_id, metrics=batch)
        for batch in batches([RunTag(name, value) for name, value in (tags or {}).items()]):
            self._client.log_batch(self.run_id, tags=batch)


def batches(entries: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Cut a sequence into parts that MLflow takes in one request."""
    return (entries[i : i + BATCH_SIZE] for i in range(0, len(entries), BATCH_SIZE))


def text(value: Any) -> str:
    """Return a parameter's value as MLflow stores it: short, and lists as JSON."""
    plain = value if isinstance(value, str) else json.dumps(value, default=str)
    return plain[:MAX_PARAMETER_LENGTH]


def run_name(
    data_name: str,
    pipeline_names: Sequence[str],
    session_id: str,
    runtime_params: Mapping[str, Any] | None = None,
) -> str:
    """Name a run so that a person can tell it apart: data, pipelines, what is other, time (UTC)."""
    moment = session_id[:19].replace("T", " ").replace(".", ":")
    given = [f"{name}={text(value)}" for name, value in flatten(runtime_params or {}).items()]
    if len(given) > MAX_NAMED_PARAMETERS:
        given = [*given[:MAX_NAMED_PARAMETERS], "..."]
    return " ".join([data_name, "+".join(pipeline_names), *given, moment])[:MAX_NAME_LENGTH]


def kedro_command(run_params: Mapping[str, Any]) -> str:
    """Return the command that starts the same run."""
    options = {
        "env": run_params["env"],
        "pipelines": ",".join(run_params["pipeline_names"] or ()),
        "nodes": ",".join(run_params["node_names"] or ()),
        "from-nodes": ",".join(run_params["from_nodes"] or ()),
        "to-nodes": ",".join(run_params["to_nodes"] or ()),
        "from-inputs": ",".join(run_params["from_inputs"] or ()),
        "to-outputs": ",".join(run_params["to_outputs"] or ()),
        "tags": ",".join(run_params["tags"] or ()),
        "load-versions": _pairs(run_params["load_versions"], ":"),
        "params": _pairs(flatten(run_params["runtime_params"] or {}), "="),
    }
    given = [f"--{name}={value}" for name, value in options.items() if value]
    return " ".join(["kedro run", *given])


def _pairs(values: Mapping[str, Any] | None, joined_by: str) -> str:
    return ",".join(f"{name}{joined_by}{value}" for name, value in (values or {}).items())


def flatten(value: Any, name: str = "") -> dict[str, Any]:
    """Flatten nested mappings and pydantic models into dotted names."""
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json")
    if not isinstance(value, Mapping):
        return {name: value}
    parts = (flatten(child, f"{name}.{key}" if name else str(key)) for key, child in value.items())
    return {key: leaf for part in parts for key, leaf in part.items()}


def used_parameters(pipeline: Pipeline, catalog: DataCatalog) -> dict[str, Any]:
    """Return the flattened parameters that the nodes of a pipeline take."""
    names = sorted(filter(is_parameter, pipeline.inputs()))
    values = {name.removeprefix("params:"): catalog[name].load() for name in names}
    return flatten(values.pop("parameters", {})) | flatten(values)


def split_tags(pipeline: Pipeline, catalog: DataCatalog) -> dict[str, str]:
    """Return protocol and fingerprint of the split that a run made or read, as tags."""
    tables = [name for name in pipeline.datasets() if name.startswith("test_interactions")]
    if not tables:
        return {}
    split: Any = catalog["split"]
    # A split and its tables are saved by one node, under one version.
    set_load_version(split, catalog[tables[0]].resolve_load_version())  # type: ignore[attr-defined]
    if not split.exists():
        return {}
    content = split.load()
    return {"protocol": content["protocol"], "split": content["fingerprint"]}


def _marked(
    mark: str, pipeline: Pipeline, catalog: DataCatalog
) -> dict[str, AbstractVersionedDataset]:
    """Return what the pipeline saved and the catalog marks with ``metadata: mlflow: <mark>``."""
    datasets = {name: catalog[name] for name in sorted(pipeline.all_outputs())}
    return {
        name: dataset
        for name, dataset in datasets.items()
        if isinstance(dataset, AbstractVersionedDataset)
        and (getattr(dataset, "metadata", None) or {}).get("mlflow", {}).get(mark)
    }


def saved_artifacts(pipeline: Pipeline, catalog: DataCatalog) -> list[Path]:
    """Return the files to attach to the run."""
    return [
        Path(dataset._get_load_path())
        for dataset in _marked("artifact", pipeline, catalog).values()
    ]


def saved_metrics(pipeline: Pipeline, catalog: DataCatalog) -> dict[str, float]:
    """Return the metrics of the JSON datasets that the catalog marks."""
    metrics: dict[str, float] = {}
    for name, dataset in _marked("metrics", pipeline, catalog).items():
        content = dataset.load()
        if isinstance(content, list):
            primary_k = catalog["params:evaluation.primary_k"].load()
            metrics |= leaderboard_metrics(content, primary_k)
        else:
            metrics |= numbers(name, content)
    return {name: value for name, value in metrics.items() if math.isfinite(value)}


def numbers(name: str, content: Mapping[str, Any]) -> dict[str, float]:
    """Return the numeric leaves of a JSON object under dotted names."""
    return {
        key: float(value)
        for key, value in flatten(content, name).items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def leaderboard_metrics(rows: Sequence[Mapping[str, Any]], primary_k: int) -> dict[str, float]:
    """Name the headlines of a leaderboard: every group at the primary K, else only the overall."""
    return {
        metric_name(row): float(row["value"])
        for row in rows
        if row["value"] is not None and _is_headline(row, primary_k)
    }


def _is_headline(row: Mapping[str, Any], primary_k: int) -> bool:
    overall = row["item_group"] == "all" and row["user_group"] == "all"
    return overall or row["k"] in (primary_k, None)


def metric_name(row: Mapping[str, Any]) -> str:
    """Name a leaderboard row, e.g. ``hybrid.recall_at_20.tail.quiet_users``."""
    at_k = "" if row["k"] is None else f"_at_{row['k']}"
    parts = [str(row["model"]), f"{row['metric']}{at_k}"]
    if row["item_group"] != "all":
        parts.append(str(row["item_group"]))
    if row["user_group"] != "all":
        parts.append(f"{row['user_group']}_users")
    return ".".join(parts)
