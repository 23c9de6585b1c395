"""Logs one run to MLflow: what it reads when it starts, what it saved when it ends."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, Any

from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from mlflow.entities import Metric, Param, RunTag
from mlflow.tracking import MlflowClient
from pydantic import BaseModel, ConfigDict, Field

from longtail.behaviour.origins import RepeatParameters
from longtail.metrics.model_card import quality_of
from longtail.runs.costs import by_model
from longtail.runs.input_checks import damaged
from longtail.runs.lineage import LINEAGE_FILE, code_revision, lineage_of
from longtail.runs.records import RunRecords, has_ended, this_process
from longtail.runs.versions import input_versions, pin_newest_complete
from longtail.tracking.baseline import differences
from longtail.tracking.curves import log_curves, saved_curves
from longtail.tracking.descriptions import (
    dataset_inputs,
    kedro_command,
    rejection_tags,
    split_tags,
)
from longtail.tracking.figures_page import PAGE, figures_page
from longtail.tracking.metrics import COLUMNS, saved_artifacts, saved_figures, saved_metrics
from longtail.tracking.model_registry import (
    CHAMPION,
    ITEM_KNN,
    SERVED,
    description_of,
    makes_deployed,
    makes_hybrid,
    quality_tags,
    register,
    registered_name,
    served_hybrid,
)
from longtail.tracking.parameters import (
    as_text,
    runs_of_versions,
    tracked_parameters,
    upstream_parameters,
)
from longtail.tracking.requests import batches
from longtail.tracking.trials import log_trials, saved_trials

if TYPE_CHECKING:
    from longtail.serving.hybrid import ServedHybrid

logger = logging.getLogger(__name__)

PROCESS = "process"
ERROR = "error"
DESCRIPTION = "mlflow.note.content"
METRICS_TABLE = "metrics.json"


class TrackingParameters(BaseModel):
    """What is tracked besides parameters, metrics, figures and lineage."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    log_model: bool = Field(True, description="Log and register the hybrid as an MLflow model.")
    log_trials: bool = Field(True, description="Log every tuning trial as a child run.")
    system_metrics: bool = Field(True, description="Sample the load of processor and memory.")


class TrackedRun:
    """An open MLflow run that what a Kedro run reads and saves is logged to.

    All calls name the run by its id, which is safe in every thread.
    """

    def __init__(self, client: MlflowClient, experiment_id: str, run_id: str) -> None:
        self._client = client
        self._experiment_id = experiment_id
        self._run_id = run_id

    def start(
        self,
        data_name: str,
        run_params: Mapping[str, Any],
        pipeline: Pipeline,
        catalog: DataCatalog,
    ) -> None:
        """Log parameters, versions of the inputs and of the code.

        Args:
            data_name: of the data set, for the tag ``dataset``.
            run_params: of the Kedro run.
            pipeline: what runs.
            catalog: its datasets.
        """
        inputs = input_versions(pipeline, catalog)
        tags = {
            "dataset": data_name,
            PROCESS: this_process(),
            "env": run_params["env"] or "local",
            "pipelines": "+".join(sorted(run_params["pipeline_names"] or ["all"])),
            "kedro_command": kedro_command(run_params),
            **{f"in.{name}": version for name, version in inputs.items()},
            **code_revision(Path(run_params["project_path"])),
        }
        self._end_killed_runs()
        makers = runs_of_versions(self._client, self._experiment_id, inputs)
        parameters, sources = tracked_parameters(pipeline, catalog, upstream_parameters(makers))
        self.log(params=parameters, tags=tags | sources)
        self._client.log_inputs(self._run_id, datasets=dataset_inputs(inputs, pipeline, catalog))

    def _end_killed_runs(self) -> None:
        """Mark runs whose process has ended: MLflow would show them as running forever."""
        running = "attributes.status = 'RUNNING'"
        for run in self._client.search_runs([self._experiment_id], running):
            if has_ended(run.data.tags.get(PROCESS, "")):
                self._client.set_terminated(run.info.run_id, "KILLED")

    def finish(
        self,
        run_params: Mapping[str, Any],
        pipeline: Pipeline,
        catalog: DataCatalog,
        records: RunRecords,
        parameters: TrackingParameters,
    ) -> None:
        """Log metrics, artifacts, lineage, trials, training curves and the model.

        Args:
            run_params: of the Kedro run.
            pipeline: what ran.
            catalog: its datasets.
            records: the records of this run and of earlier ones.
            parameters: what is tracked.
        """
        version = run_params["run_id"]
        metrics, table = saved_metrics(pipeline, catalog, _costs(version, records))
        self.log(
            metrics=metrics, tags=split_tags(pipeline, catalog) | rejection_tags(pipeline, catalog)
        )
        if table:
            columns = {name: [row[name] for row in table] for name in COLUMNS}
            self._client.log_table(self._run_id, columns, METRICS_TABLE)
        if figures := saved_figures(pipeline, catalog):
            self._client.log_text(self._run_id, figures_page(version, figures), PAGE)
        for path in saved_artifacts(pipeline, catalog):
            self._client.log_artifact(self._run_id, str(path))
        reused = _reused(version, records)
        lineage = lineage_of(run_params, pipeline, catalog) | {"reused": reused}
        self._client.log_dict(self._run_id, lineage, LINEAGE_FILE)
        ran = Pipeline([node for node in pipeline.nodes if node.name not in reused])
        self._log_differences()
        run = self._client.get_run(self._run_id)
        log_curves(self._client, run, saved_curves(ran, catalog))
        if parameters.log_trials:
            log_trials(self._client, run, saved_trials(ran, catalog))
        if parameters.log_model and makes_hybrid(ran) and _is_first(catalog):
            self._register_hybrid(pipeline, catalog, records)
        if parameters.log_model and makes_deployed(ran):
            self._register_deployed(catalog)

    def end(self) -> None:
        """Mark the run as finished."""
        self._client.set_terminated(self._run_id)

    def fail(self, sentence: str) -> None:
        """Log why the run failed, as a tag and as the description that the run's page shows."""
        self.log(tags={ERROR: sentence, DESCRIPTION: sentence})

    def _log_differences(self) -> None:
        """Log how the run differs from the baseline of its data set and protocol."""
        metrics, tags = differences(self._client, self._client.get_run(self._run_id))
        self.log(metrics=metrics, tags=tags)

    def _register_hybrid(
        self, pipeline: Pipeline, catalog: DataCatalog, records: RunRecords
    ) -> None:
        """Log and register the hybrid if all that is served with it exists."""
        pin_newest_complete(set(SERVED) - pipeline.datasets(), catalog, records)
        if missing := [name for name in SERVED if not catalog[name].exists()]:
            logger.info("The hybrid is not registered: there is no %s.", ", ".join(missing))
            return
        if damages := damaged(SERVED, catalog, records):
            logger.warning("The hybrid is not registered: %s.", "; ".join(damages.values()))
            return
        served = served_hybrid(catalog, ITEM_KNN in pipeline.datasets())
        rows: list[dict[str, Any]] = []
        if "leaderboard" in pipeline.all_outputs():
            names = ("leaderboard", "comparisons")
            named = (f"params:evaluation.{name}" for name in ("primary_k", "baseline"))
            rows = quality_of(*(catalog[name].load() for name in (*names, *named)))
        self._register(served, rows, "evaluated", "training and validation period", champion=False)

    def _register_deployed(self, catalog: DataCatalog) -> None:
        """Register the deployed hybrid, as it was saved, and make it the champion."""
        served, card = catalog["deployed_hybrid"].load(), catalog["deployed_model_card"].load()
        log = f"the whole log ({card['interactions']} interactions of {card['users']} users)"
        self._register(served, card["headline"], "deployed", log, champion=True)

    def _register(
        self,
        served: ServedHybrid,
        rows: list[dict[str, Any]],
        stage: str,
        log: str,
        champion: bool,
    ) -> None:
        """Register a hybrid under the name of the run's data set.

        Args:
            served: the hybrid.
            rows: headline of the evaluation.
            stage: evaluated or deployed.
            log: what it was fitted on, in words.
            champion: whether it is the one to serve.
        """
        of_run = self._client.get_run(self._run_id).data.tags
        named = ("dataset", "protocol", "env")
        tags: dict[str, str] = {name: of_run[name] for name in named if name in of_run}
        tags |= {"stage": stage, **quality_tags(rows)}
        name, said = registered_name(tags["dataset"]), description_of(tags, rows, log)
        version = register(self._client, self._run_id, served, name, tags, said, champion)
        alias = f" and models:/{name}@{CHAMPION}" if champion else ""
        logger.info("Registered the %s hybrid: models:/%s/%s%s", stage, name, version, alias)

    def log(
        self,
        params: Mapping[str, Any] | None = None,
        metrics: Mapping[str, float] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Log parameters, metrics and tags in as few requests as MLflow allows."""
        now = int(time() * 1000)
        entries = [Param(name, as_text(value)) for name, value in (params or {}).items()]
        for params_batch in batches(entries):
            self._client.log_batch(self._run_id, params=params_batch)
        for metrics_batch in batches([Metric(n, v, now, 0) for n, v in (metrics or {}).items()]):
            self._client.log_batch(self._run_id, metrics=metrics_batch)
        for tags_batch in batches([RunTag(name, value) for name, value in (tags or {}).items()]):
            self._client.log_batch(self._run_id, tags=tags_batch)


def _is_first(catalog: DataCatalog) -> bool:
    """Whether the hybrid is for use: later repeats of a study fit it for comparison alone."""
    return RepeatParameters.model_validate(catalog["params:repeat"].load()).is_first


def _costs(version: str, records: RunRecords) -> dict[str, dict[str, float]]:
    """Return what the models of a run cost, also those taken from earlier runs."""
    record = records.read(version)
    return {} if record is None else by_model(record.costs)


def _reused(version: str, records: RunRecords) -> dict[str, str]:
    """Return the nodes of a run that were taken from complete runs, with their versions.

    MLflow lacks trials, curves and models of runs that were killed or failed: the nodes taken from
    these are logged with this run.
    """
    record = records.read(version)
    taken = {} if record is None else record.reused
    origins = {name: records.read(origin) for name, origin in taken.items()}
    return {
        name: origin.version
        for name, origin in origins.items()
        if origin is not None and origin.status == "complete"
    }
