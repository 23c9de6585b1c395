from pathlib import Path

import numpy as np
from kedro.io import DataCatalog
from kedro.pipeline import Node, Pipeline
from kedro_datasets_experimental.safetensors import SafetensorsDataset
from mlflow.entities import Metric
from mlflow.tracking import MlflowClient
from tests.tracking.stored_runs import start

from longtail.tracking.curves import curves_in, log_curves, saved_curves


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


def test_curves_of_a_model_are_a_child_run(client: MlflowClient) -> None:
    parent = start(client)
    points = [Metric("deep.training_loss", value, 0, n) for n, value in enumerate((3.0, 2.0))]
    log_curves(client, parent, [*points, Metric("wide.training_loss", 1.0, 0, 0)])

    children = client.search_runs(["0"], f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'")
    assert {child.info.run_name for child in children} == {"deep training", "wide training"}
    (deep,) = (child for child in children if child.data.tags["model"] == "deep")
    history = client.get_metric_history(deep.info.run_id, "training_loss")
    assert [(point.step, point.value) for point in history] == [(0, 3.0), (1, 2.0)]
    assert deep.info.status == "FINISHED"
    assert client.get_run(parent.info.run_id).data.metrics == {}
