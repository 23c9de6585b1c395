"""Runs in an MLflow store."""

from mlflow.entities import Run
from mlflow.tracking import MlflowClient

TAGS = {"dataset": "toys", "protocol": "temporal", "split": "a", "env": "test"}


def start(client: MlflowClient, tags: dict[str, str] | None = None, **metrics: float) -> Run:
    run = client.create_run("0", tags=TAGS | (tags or {}))
    for name, value in metrics.items():
        client.log_metric(run.info.run_id, f"hybrid.{name}", value)
    return client.get_run(run.info.run_id)
