"""Differences to a baseline in a real MLflow store."""

import pytest
from mlflow.tracking import MlflowClient
from tests.tracking.stored_runs import start

from longtail.errors import UserError
from longtail.tracking.baseline import BASELINE, differences, mark_baseline


def test_later_runs_differ_from_the_baseline_of_their_data_and_protocol(
    client: MlflowClient,
) -> None:
    baseline = start(client, ndcg_at_20=0.25, recall_at_20=0.5)
    mark_baseline(client, baseline.info.run_id)

    metrics, tags = differences(client, start(client, ndcg_at_20=0.5, coverage=1.0))
    assert metrics == {"difference.hybrid.ndcg_at_20": 0.25}
    assert tags == {"compared_with": baseline.info.run_id, "compared_with.same_split": "true"}

    _, tags = differences(client, start(client, {"split": "b"}, ndcg_at_20=0.5))
    assert tags["compared_with.same_split"] == "false"
    assert differences(client, start(client, {"dataset": "books"}, ndcg_at_20=0.5)) == ({}, {})
    assert differences(client, start(client, {"protocol": "per_user"}, ndcg_at_20=0.5)) == ({}, {})
    assert differences(client, client.get_run(baseline.info.run_id)) == ({}, {})


def test_one_run_is_the_baseline(client: MlflowClient) -> None:
    first, second = start(client, ndcg_at_20=0.25), start(client, ndcg_at_20=0.5)
    for run in (first, second):
        mark_baseline(client, run.info.run_id)

    (marked,) = client.search_runs(["0"], f"tags.`{BASELINE}` = 'true'")
    assert marked.info.run_id == second.info.run_id
    with pytest.raises(UserError, match="has no metrics"):
        mark_baseline(client, start(client).info.run_id)


@pytest.mark.parametrize(
    "name", ["Anna's data", 'a "b" data', """Anna's "b" `data`""", "a\\b", "%"]
)
def test_the_name_of_a_data_set_may_hold_quotes(client: MlflowClient, name: str) -> None:
    baseline = start(client, {"dataset": name}, ndcg_at_20=0.25)
    mark_baseline(client, baseline.info.run_id)
    metrics, _ = differences(client, start(client, {"dataset": name}, ndcg_at_20=0.5))
    assert metrics == {"difference.hybrid.ndcg_at_20": 0.25}
    assert differences(client, start(client, {"dataset": "other"}, ndcg_at_20=0.5)) == ({}, {})
