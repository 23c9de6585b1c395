"""Logs the hybrid of a run as an MLflow model and registers it.

Modules that fit and serve models are imported inside functions, so that commands start fast.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import mlflow
import numpy as np
import pandas as pd
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_ALREADY_EXISTS, ErrorCode
from mlflow.tracking import MlflowClient

import longtail
from longtail.errors import UserError
from longtail.metrics.model_card import in_words, name_of
from longtail.runs.input_checks import command
from longtail.runs.versions import made_by

if TYPE_CHECKING:
    from longtail.serving.hybrid import ServedHybrid

MODEL = "hybrid"
# Models of different data sets are registered under different names.
PREFIX = "longtail-"
# Alias of the version that is served: the newest deployed one.
CHAMPION = "champion"
# What the served code imports.
PACKAGES = (
    "huggingface-hub",
    "ibis-framework",
    "implicit",
    "irspack",
    "mlflow",
    "numpy",
    "optuna",
    "packaging",
    "pandas",
    "platformdirs",
    "pyarrow",
    "pydantic",
    "safetensors",
    "scikit-learn",
    "scipy",
    "sentence-transformers",
    "threadpoolctl",
    "tokenizers",
    "torch",
    "tqdm",
    "transformers",
)

# Served with the hybrid, though a run that recommends with it need not read or make them.
SERVED = ("vector_choice", "adapted_vectors", "language_vectors", "item_understanding")
# Served where it is fitted: the items that are often chosen together.
ITEM_KNN = "item_knn_model"


def makes_hybrid(pipeline: Pipeline) -> bool:
    """Whether a pipeline recommends with the hybrid."""
    return "recommendations_hybrid" in made_by(pipeline)


def makes_deployed(pipeline: Pipeline) -> bool:
    """Whether a pipeline makes the deployed hybrid."""
    return "deployed_hybrid" in made_by(pipeline)


def served_hybrid(catalog: DataCatalog, with_item_knn: bool = True) -> ServedHybrid:
    """Put the hybrid together from what a run has saved.

    Args:
        catalog: with the datasets of the run.
        with_item_knn: whether ``item_knn`` was fitted: reasons then name items that are often
            chosen together.
    """
    from longtail.hybrid.parameters import HybridParameters  # noqa: PLC0415
    from longtail.serving.assembly import assemble  # noqa: PLC0415

    parameters = HybridParameters.model_validate(catalog["params:hybrid"].load())
    return assemble(
        parameters,
        catalog["hybrid_gate"].load(),
        {name: catalog[f"{name}_model"].load() for name in parameters.sources},
        catalog["past_histories"].load(),
        catalog["item_features"].load(),
        catalog["items@pandas"].load(),
        catalog["item_understanding"].load(),
        catalog["language_vectors"].load(),
        catalog["adapted_vectors"].load(),
        catalog["vector_choice"].load(),
        catalog[ITEM_KNN].load() if with_item_knn else None,
    )


def registered_name(data_name: str) -> str:
    """Return the name under which the models of a data set are registered."""
    slug = re.sub(r"[^\w.-]+", "-", data_name.lower()).strip("-.")
    return f"{PREFIX}{slug or 'data'}"


def model_to_serve(client: MlflowClient, data_name: str, env: str = "") -> str:
    """Return the URI of the champion of a data set; of its newest version where there is none.

    Args:
        client: of the store.
        data_name: of the data set.
        env: the environment, for the command in the message.

    Raises:
        UserError: no model of the data set is registered, or one of another that is spelt alike.
    """
    name = registered_name(data_name)
    try:
        found = client.get_registered_model(name)
    except MlflowException as error:
        wanted = command([], env)
        raise UserError(
            f"No model of the data set {data_name} is registered. Run `{wanted}`, and then"
            f" `{command(['deploy'], env)}` for the model that is fitted on the whole log."
        ) from error
    if CHAMPION in found.aliases:
        version, uri = (
            client.get_model_version_by_alias(name, CHAMPION),
            f"models:/{name}@{CHAMPION}",
        )
    else:
        versions = client.search_model_versions(f"name = '{name}'")
        version = max(versions, key=lambda each: int(each.version))
        uri = f"models:/{name}/latest"
    other = version.tags.get("dataset", data_name)
    if other != data_name:
        raise UserError(
            f"The registered model {name} is of the data set {other}, whose name is spelt like"
            f" {data_name}. Set data_name in globals.yml to a name of its own."
        )
    return uri


def register(
    client: MlflowClient,
    run_id: str,
    served: ServedHybrid,
    name: str,
    tags: Mapping[str, str],
    description: str,
    champion: bool,
) -> str:
    """Log the hybrid to the active MLflow run and register it; return the version's number.

    The package's code is logged with it, so the model loads without the project installed.

    Args:
        client: of the store.
        run_id: the run that the version belongs to.
        served: the hybrid.
        name: of the registered model.
        tags: of the version.
        description: of the version.
        champion: whether the version becomes the one that is served.
    """
    from longtail.serving.mlflow_model import ARTIFACT, SIGNATURE  # noqa: PLC0415
    from longtail.serving.storage import save_hybrid  # noqa: PLC0415

    package = Path(longtail.__file__).parent
    with TemporaryDirectory() as folder:
        save_hybrid(served, Path(folder))
        logged = mlflow.pyfunc.log_model(
            name=MODEL,
            python_model=str(package / "serving/mlflow_model.py"),
            artifacts={ARTIFACT: folder},
            code_paths=[str(package)],
            signature=SIGNATURE,
            input_example=example(served),
            pip_requirements=requirements(served),
        )
    # mlflow.register_model would do both steps, but prints to the terminal.
    # Of two runs that end at the same time, one finds that the other has registered the model.
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != ErrorCode.Name(RESOURCE_ALREADY_EXISTS):
            raise
    made = client.create_model_version(
        name,
        f"models:/{logged.model_id}",
        run_id,
        tags=dict(tags),
        description=description,
        model_id=logged.model_id,
    )
    version = str(made.version)
    if champion:
        client.set_registered_model_alias(name, CHAMPION, version)
    return version


def quality_tags(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return the headline of an evaluation as tags, such as ``ndcg_at_20``, in words."""
    return {name_of(row): in_words(row) for row in rows}


def description_of(tags: Mapping[str, str], rows: Sequence[Mapping[str, Any]], log: str) -> str:
    """Return a few sentences on what a registered model is and how good it was.

    Args:
        tags: of the version: dataset, protocol, stage.
        rows: headline of the evaluation; none where it was not evaluated.
        log: what it was fitted on.
    """
    quality = [f"{name_of(row)} {in_words(row)}" for row in rows]
    measured = "; ".join(quality) if quality else "not evaluated yet"
    return (
        f"Hybrid for {tags['dataset']}, fitted on {log}. Quality on the test period (protocol"
        f" {tags.get('protocol', 'unknown')}), measured before any test interaction was fitted:"
        f" {measured}."
    )


def example(served: ServedHybrid) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return a request that shows nothing of any user: the three most chosen items, and a text."""
    histories = served.histories
    most_chosen = np.argsort(-histories.item_counts(), kind="stable")[:3]
    items = [str(item) for item in histories.item_ids[most_chosen]]
    return pd.DataFrame({"item_ids": [items, None], "text": [None, "a gift"]}), {"k": 10}


def requirements(served: ServedHybrid) -> list[str]:
    """Return the packages that the model needs, in the installed versions.

    Those with the weights of its language models and for the encoder's precision are included.
    """
    from longtail.text.weights import packages_of  # noqa: PLC0415

    encoder = served.text_map.encoder
    recommenders = [model.recommender for model in served.sources.values()]
    models = {encoder.model, *(getattr(recommender, "model", "") for recommender in recommenders)}
    of_models = {package for model in models if model for package in packages_of(model)}
    of_precision = ("torchao",) if encoder.precision == "int8" else ()
    of_updates = ("peft",) if any(getattr(r, "lora_rank", 0) for r in recommenders) else ()
    needed = (*PACKAGES, *sorted(of_models), *of_precision, *of_updates)
    return [f"{package}=={version(package).partition('+')[0]}" for package in needed]
