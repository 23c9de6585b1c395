"""Trials in a real MLflow store."""

from mlflow.tracking import MlflowClient
from tests.tracking.stored_runs import start

from longtail.tracking.trials import log_trials


def test_trials_are_finished_children_with_parameters_and_metrics(client: MlflowClient) -> None:
    parent = start(client)
    record = {"trial": 3, "parameters": {"factors": 64}, "validation_ndcg_at_20": 0.25}
    log_trials(client, parent, {"als": [record]})

    (child,) = client.search_runs(["0"], f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'")
    assert child.info.run_name == "als trial 3"
    assert child.info.status == "FINISHED"
    assert child.data.params == {"factors": "64"}
    assert child.data.metrics == {"validation_ndcg_at_20": 0.25}
    assert (child.data.tags["model"], child.data.tags["dataset"]) == ("als", "toys")
