"""The page of the project's runs in MLflow's interface: kind of experiment, columns, address."""

from __future__ import annotations

import json
from collections.abc import Mapping

from mlflow.tracking import MlflowClient

# MLflow opens the pages for prompts and traces unless the experiment says that models are fitted.
KIND = "mlflow.experimentKind"
MODELS = "custom_model_development"
# What the button "Share" of the page of runs saves; an address names the view by its key.
VIEW = "longtail"
VIEW_TAG = f"mlflow.sharedViewState.{VIEW}"


def set_view(client: MlflowClient, experiment_id: str, primary_k: int, baseline: str) -> None:
    """Let MLflow show an experiment as one of models, with columns that tell its runs apart.

    Args:
        client: of the store.
        experiment_id: of the runs.
        primary_k: length of the lists whose metrics are shown.
        baseline: the model beside the hybrid.
    """
    wanted = {KIND: MODELS, VIEW_TAG: json.dumps(view(primary_k, baseline))}
    tags: Mapping[str, str] = client.get_experiment(experiment_id).tags
    for name, value in wanted.items():
        if tags.get(name) != value:
            client.set_experiment_tag(experiment_id, name, value)


def view(primary_k: int, baseline: str) -> dict[str, object]:
    """Return the state of MLflow's table of runs: newest first, with our columns."""
    quality = f"ndcg_at_{primary_k}"
    metrics = [
        f"hybrid.{quality}",
        f"{baseline}.{quality}",
        f"hybrid.{quality}.tail",
        f"{baseline}.{quality}.tail",
        f"hybrid.catalog_coverage_at_{primary_k}",
    ]
    return {
        "searchFilter": "",
        "orderByKey": "attributes.start_time",
        "orderByAsc": False,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "modelVersionFilter": "All Runs",
        "datasetsFilter": [],
        "selectedColumns": [
            "attributes.`Duration`",
            *(f"metrics.`{name}`" for name in metrics),
            "tags.`dataset`",
            "tags.`env`",
            "tags.`error`",
        ],
    }


def page(client: MlflowClient, experiment_id: str) -> str:
    """Return the address of the table of runs below that of the server."""
    query = "workflowType=machine_learning&compareRunsMode=TABLE"
    address = f"/#/experiments/{experiment_id}/runs?{query}"
    has_view = VIEW_TAG in client.get_experiment(experiment_id).tags
    return f"{address}&viewStateShareKey={VIEW}" if has_view else address
