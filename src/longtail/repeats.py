"""Repeats a study over origins in time and seeds, and summarises the spread of its results."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from longtail import settings
from longtail.configuration import current_parameters
from longtail.errors import UserError
from longtail.metrics.repeats import headlines_of
from longtail.private_interfaces import (
    catalog_with_versions,
    experiment_id_of,
    mlflow_client_of,
)
from longtail.runs.repeats import RepeatKey, merged, parameters_of, plan
from longtail.runs.reproduce import open_context
from longtail.runs.runner import OnlyChangedRunner
from longtail.runs.versions import made_by
from longtail.tracking.repeats import nest_repeats

logger = logging.getLogger(__name__)

SUMMARY = "repeats"
NEEDED = {"split": "behaviour_cleaning", "leaderboard": "evaluation"}


def run_repeats(
    origins: int,
    seeds: int,
    env: str | None = None,
    pipeline_names: Sequence[str] = (),
    given: Mapping[str, Any] | None = None,
) -> str:
    """Run pipelines once for each origin and seed; return the version of the summary.

    Each repeat is a run of its own that skips what has not changed since an earlier run: cleaning
    and embeddings are made once, and a study that was stopped continues where it stopped.

    Args:
        origins: how many origins in time.
        seeds: how many seeds.
        env: the environment of the configuration.
        pipeline_names: what to run; by default what ``kedro run`` does.
        given: parameters that hold for all repeats.

    Raises:
        UserError: if the pipelines do not split the log or make no leaderboard, or a run fails for
            a reason that the user can mend.
    """
    given = dict(given or {})
    names = list(pipeline_names) or ["__default__"]
    context = open_context(settings.PROJECT_ROOT, env, given)
    configured = context.config_loader["parameters"]
    primary_k = current_parameters().evaluation.primary_k
    _check_pipelines(names)
    results = []
    planned = plan(origins, seeds)
    for number, repeat in enumerate(planned, start=1):
        logger.info(
            "Repeat %d of %d: origin %d, seed %d",
            number, len(planned), repeat.origin, repeat.seed,
        )  # fmt: skip
        changed = parameters_of(repeat, configured)
        version = _run(env, names, merged(given, changed), only_changed=True)
        results.append(_result(env, repeat, version, primary_k))
    results.reverse()
    context = open_context(settings.PROJECT_ROOT, env, given)
    catalog_with_versions(context, None).save("repeat_results", results)
    summary = _run(env, [SUMMARY], given, only_changed=False)
    _nest(context, summary, results)
    return summary


def _check_pipelines(names: Sequence[str]) -> None:
    """Refuse pipelines that leave the origin without effect or nothing to compare.

    Raises:
        UserError: with the pipelines that are missing.
    """
    made = {dataset for name in names for dataset in made_by(pipelines[name])}
    missing = [pipeline for dataset, pipeline in NEEDED.items() if dataset not in made]
    if missing:
        raise UserError(
            "Each repeat splits the log anew and evaluates: add"
            f" {' and '.join(missing)} to --pipelines."
        )


def _run(env: str | None, names: list[str], params: dict[str, Any], only_changed: bool) -> str:
    """Run pipelines in a session of their own; return the version that they saved."""
    runner = OnlyChangedRunner() if only_changed else None
    root = settings.PROJECT_ROOT
    with KedroSession.create(root, env=env, runtime_params=params) as session:
        assert isinstance(session, KedroSession)
        session.run(pipeline_names=names, runner=runner)
        return str(session.session_id)


def _result(env: str | None, repeat: RepeatKey, version: str, k: int) -> dict[str, Any]:
    """Return the headlines of a finished repeat."""
    tables = ("leaderboard", "comparisons")
    context = open_context(settings.PROJECT_ROOT, env)
    catalog = catalog_with_versions(context, dict.fromkeys(tables, version))
    rows = {name: headlines_of(catalog.load(name), k) for name in tables}
    return {"origin": repeat.origin, "seed": repeat.seed, "version": version, **rows}


def _nest(context: Any, summary: str, results: Sequence[Mapping[str, Any]]) -> None:
    """Make the repeats children of the summary in MLflow, if its store answers."""
    configuration = getattr(context, "mlflow", None)
    if configuration is None:
        return
    client, experiment = mlflow_client_of(configuration), experiment_id_of(configuration)
    try:
        nest_repeats(client, experiment, summary, results)
    except (MlflowException, SQLAlchemyError, OSError) as error:
        logger.warning("MLflow failed (%s): the repeats are saved, but not grouped there.", error)
