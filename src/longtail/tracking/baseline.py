"""The MLflow run that later runs of the same data set and protocol are compared with."""

from __future__ import annotations

import re

from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from longtail.errors import UserError

BASELINE = "longtail.baseline"
COMPARED_WITH = "compared_with"
DIFFERENCE = "difference."
RANKING_QUALITY = re.compile(r"hybrid\.(ndcg|recall)_at_\d+(\.[^.]+)?")


def mark_baseline(client: MlflowClient, run_id: str) -> Run:
    """Make a run the baseline of its data set and protocol, replacing the former one.

    Raises:
        UserError: If the run has no leaderboard to compare with.
    """
    run = client.get_run(run_id)
    if "protocol" not in run.data.tags or not run.data.metrics:
        raise UserError(
            f"The run {run_id} has no metrics: choose a run of the pipeline evaluation."
        )
    for former in _baselines(client, run):
        client.delete_tag(former.info.run_id, BASELINE)
    client.set_tag(run_id, BASELINE, "true")
    return run


def _baselines(client: MlflowClient, run: Run) -> list[Run]:
    """Return the marked runs of the same data set and protocol."""
    marked = client.search_runs([run.info.experiment_id], f"tags.`{BASELINE}` = 'true'")
    # Compared here, because MLflow's filters cannot quote every name of a data set.
    return [other for other in marked if _data_and_protocol(other) == _data_and_protocol(run)]


def _data_and_protocol(run: Run) -> tuple[str, str]:
    return run.data.tags.get("dataset", ""), run.data.tags.get("protocol", "")


def differences(client: MlflowClient, run: Run) -> tuple[dict[str, float], dict[str, str]]:
    """Return the hybrid's quality minus that of the baseline run, and which run that is, as tags.

    NDCG and recall, overall and for one group of items or of users. Both are empty if no run of the
    same data set and protocol is marked, or if this run is the baseline.
    """
    others = [other for other in _baselines(client, run) if other.info.run_id != run.info.run_id]
    if not others or not run.data.metrics:
        return {}, {}
    before, now = others[0].data, run.data
    metrics = {
        f"{DIFFERENCE}{name}": value - before.metrics[name]
        for name, value in now.metrics.items()
        if name in before.metrics and RANKING_QUALITY.fullmatch(name)
    }
    if not metrics:
        return {}, {}
    same = str(before.tags.get("split") == now.tags.get("split")).lower()
    return metrics, {COMPARED_WITH: others[0].info.run_id, f"{COMPARED_WITH}.same_split": same}
