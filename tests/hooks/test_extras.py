"""Trials, curves and differences in a real MLflow store."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from kedro.io import DataCatalog
from kedro.pipeline import Node, Pipeline
from kedro_datasets_experimental.safetensors import SafetensorsDataset
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from longtail.errors import UserError
from longtail.hooks.extras import (
    BASELINE,
    curves_in,
    differences,
    log_trials,
    mark_baseline,
    saved_curves,
)

TAGS = {"dataset": "toys", "protocol": "temporal", "split": "a", "env": "test"}


@pytest.fixture
def client(tmp_path: Path, empty_store: Path) -> MlflowClient:
    shutil.copy(empty_store, tmp_path / "mlflow.db")
    return MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")


def start(client: MlflowClient, tags: dict[str, str] | None = None, **metrics: float) -> Run:
    run = client.create_run("0", tags=TAGS | (tags or {}))
    for name, value in metrics.items():
        client.log_metric(run.info.run_id, f"hybrid.{name}", value)
    return client.get_run(run.info.run_id)


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


def test_curves_of_a_fitted_model_become_steps(tmp_path: Path) -> None:
    loss, ndcg = np.array([3.0, 2.0, 1.5]), np.array([0.1, 0.25])
    arrays = {
        "deep_validation_model": {"curve.training_loss": loss + 1, "curve.validation_ndcg": ndcg},
        "deep_model": {"curve.training_loss": loss, "user_factors": np.ones((2, 2))},
    }
    pipeline = Pipeline([Node(lambda: arrays, None, dict(zip(arrays, arrays, strict=True)))])
    catalog = DataCatalog.from_config(
        {
            name: {
                "type": f"{SafetensorsDataset.__module__}.SafetensorsDataset",
                "filepath": str(tmp_path / f"{name}.safetensors"),
                "versioned": True,
            }
            for name in arrays
        }
    )
    for name, content in arrays.items():
        catalog[name].save(content)

    metrics = [(m.key, m.step, m.value) for m in saved_curves(pipeline, catalog)]
    assert metrics == [
        ("deep.training_loss", 0, 3.0),
        ("deep.training_loss", 1, 2.0),
        ("deep.training_loss", 2, 1.5),
        ("deep.validation_ndcg", 0, 0.1),
        ("deep.validation_ndcg", 1, 0.25),
    ]
    (path,) = tmp_path.glob("deep_model.safetensors/*/*")
    assert list(curves_in(path)) == ["training_loss"]


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
