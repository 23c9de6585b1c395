"""The runs of a repeated study as children of one run in MLflow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlflow.entities import Param, Run, RunTag
from mlflow.tracking import MlflowClient

from longtail.tracking.trials import PARENT

REPEAT = ("origin", "seed")


def nest_repeats(
    client: MlflowClient, experiment_id: str, parent: str, repeats: Sequence[Mapping[str, Any]]
) -> None:
    """Make the runs of a study the children of the run that summarises them.

    Each gets the parameters ``origin`` and ``seed``. Runs that MLflow lacks are left out.

    Args:
        client: of the store.
        experiment_id: of the runs.
        parent: version of the summarising run.
        repeats: version, origin and seed of each run.
    """
    summary = _run_of(client, experiment_id, parent)
    if summary is None:
        return
    for repeat in repeats:
        child = _run_of(client, experiment_id, repeat["version"])
        if child is not None:
            client.log_batch(
                child.info.run_id,
                params=[Param(name, str(repeat[name])) for name in REPEAT],
                tags=[RunTag(PARENT, summary.info.run_id)],
            )


def _run_of(client: MlflowClient, experiment_id: str, version: str) -> Run | None:
    """Return the MLflow run of a version, None where there is none."""
    found = client.search_runs([experiment_id], f"tags.run_id = '{version}'", max_results=1)
    return found[0] if found else None
