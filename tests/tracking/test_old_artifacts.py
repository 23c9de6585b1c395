from pathlib import Path

import mlflow
import pytest
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from longtail.tracking.old_artifacts import remove_artifacts, tracked_runs, versions_of_models


@pytest.fixture
def experiment(client: MlflowClient, tmp_path: Path) -> str:
    return client.create_experiment("toys", artifact_location=(tmp_path / "artifacts").as_uri())


def finished(client: MlflowClient, experiment: str, version: str) -> str:
    run = client.create_run(experiment, tags={"run_id": version})
    client.log_text(run.info.run_id, "page", "report.html")
    client.log_metric(run.info.run_id, "ndcg", 0.5)
    return run.info.run_id


def register(client: MlflowClient, run_id: str, name: str = "longtail-toys") -> str:
    source = client.get_run(run_id).info.artifact_uri
    return str(client.create_model_version(name, source, run_id).version)


def test_models_with_an_alias_and_the_newest_are_needed(
    client: MlflowClient, experiment: str
) -> None:
    runs = [finished(client, experiment, version) for version in ("v1", "v2", "v3")]
    client.create_registered_model("longtail-toys")
    champion, *_ = [register(client, run_id) for run_id in runs]
    client.set_registered_model_alias("longtail-toys", "champion", champion)
    assert versions_of_models(client) == {"v1", "v3"}


def test_artifacts_and_models_go_and_metrics_stay(client: MlflowClient, experiment: str) -> None:
    mlflow.set_tracking_uri(client.tracking_uri)
    old, new = (finished(client, experiment, version) for version in ("v1", "v2"))
    client.create_registered_model("longtail-toys")
    gone, stays = register(client, old), register(client, new)
    (run,) = tracked_runs(client, ["v1"])

    remove_artifacts(client, run)

    assert run.info.run_id == old
    assert not client.list_artifacts(old)
    assert [file.path for file in client.list_artifacts(new)] == ["report.html"]
    assert client.get_run(old).data.metrics == {"ndcg": 0.5}
    assert client.get_model_version("longtail-toys", stays).run_id == new
    with pytest.raises(MlflowException):
        client.get_model_version("longtail-toys", gone)
