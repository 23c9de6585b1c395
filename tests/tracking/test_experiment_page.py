"""The page of runs that `kedro runs` opens."""

import json

from mlflow.tracking import MlflowClient

from longtail.tracking.experiment_page import page, set_view


def test_page_is_the_table_of_runs_with_columns(client: MlflowClient) -> None:
    table = "/#/experiments/0/runs?workflowType=machine_learning&compareRunsMode=TABLE"
    assert page(client, "0") == table

    set_view(client, "0", primary_k=20, baseline="als")

    assert page(client, "0") == f"{table}&viewStateShareKey=longtail"
    tags = client.get_experiment("0").tags
    assert tags["mlflow.experimentKind"] == "custom_model_development"
    columns = json.loads(tags["mlflow.sharedViewState.longtail"])["selectedColumns"]
    assert {"metrics.`hybrid.ndcg_at_20`", "metrics.`als.ndcg_at_20`", "tags.`dataset`"} <= set(
        columns
    )
