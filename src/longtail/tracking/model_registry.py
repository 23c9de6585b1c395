"""Logs the hybrid of a run as an MLflow model and registers it.

Modules that fit and serve models are imported inside functions, so that commands start fast.
"""

from __future__ import annotations

from collections.abc import Collection
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
from longtail.runs.versions import made_by

if TYPE_CHECKING:
    from longtail.arrays import Arrays
    from longtail.serving.hybrid import ServedHybrid
    from longtail.text.text_map import TextMap

MODEL = "hybrid"
REGISTERED_MODEL = "longtail-hybrid"
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


def served_hybrid(catalog: DataCatalog, with_item_knn: bool = True) -> ServedHybrid:
    """Put the hybrid together from what a run has saved.

    Args:
        catalog: with the datasets of the run.
        with_item_knn: whether ``item_knn`` was fitted: reasons then name items that are often
            chosen together.
    """
    from longtail.hybrid.model import Hybrid  # noqa: PLC0415
    from longtail.hybrid.parameters import HybridParameters  # noqa: PLC0415
    from longtail.recommenders.collaborative.item_knn import graph_of  # noqa: PLC0415
    from longtail.recommenders.fitted_model import applicable  # noqa: PLC0415
    from longtail.serving.hybrid import ServedHybrid  # noqa: PLC0415
    from longtail.text.keywords import KeywordTable  # noqa: PLC0415

    parameters = HybridParameters.model_validate(catalog["params:hybrid"].load())
    histories, features = catalog["past_histories"].load(), catalog["item_features"].load()
    models = {name: catalog[f"{name}_model"].load() for name in parameters.sources}
    together = catalog[ITEM_KNN].load().arrays if with_item_knn else {}
    items = catalog["items@pandas"].load()[["item_id", "title"]]
    understanding = catalog["item_understanding"].load()
    items = items.assign(text=features.texts, keywords=understanding["keywords"].to_numpy())
    sources = applicable(models, parameters.sources)
    if any("attributes" in model.recommender.reads for model in sources.values()):
        attributes = {name: column.to_numpy() for name, column in features.attributes.items()}
        items = items.assign(**attributes)
    return ServedHybrid(
        hybrid=Hybrid.from_json(catalog["hybrid_gate"].load()),
        parameters=parameters,
        sources=sources,
        histories=histories,
        item_vectors=features.vectors,
        behaviour_graph=graph_of(together, histories.n_items),
        text_graph=features.text_neighbours,
        items=items,
        keywords=KeywordTable.of(items["text"], items["keywords"]),
        frozen_vectors=catalog["language_vectors"].load()["vectors"],
        frozen_graph=features.frozen_neighbours,
        text_map=text_map(catalog),
    )


def text_map(catalog: DataCatalog) -> TextMap:
    """Put together what makes vectors of texts, as the catalogue's items have them."""
    from longtail.text.encoder_parameters import EncoderParameters  # noqa: PLC0415
    from longtail.text.text_map import TextMap  # noqa: PLC0415
    from longtail.text.weights import resolved_precision  # noqa: PLC0415

    encoder = EncoderParameters.model_validate(catalog["params:item_encoding.encoder"].load())
    # New texts are encoded as those of the catalogue were, whatever the processor of the server.
    encoder = encoder.model_copy(update={"precision": resolved_precision(encoder.precision)})
    adapted: Arrays = {}
    if catalog["vector_choice"].load()["chosen"] == "adapted":
        adapted = catalog["adapted_vectors"].load()
    language = catalog["language_vectors"].load()
    return TextMap(encoder, *(_without_vectors(arrays) for arrays in (language, adapted)))


def _without_vectors(arrays: Arrays) -> Arrays:
    """Return what made the vectors of the catalogue, without them."""
    left_out = ("vectors", "curve.")
    return {name: array for name, array in arrays.items() if not name.startswith(left_out)}


def log_hybrid(
    client: MlflowClient, run_id: str, catalog: DataCatalog, read: Collection[str]
) -> str:
    """Log the hybrid to the active MLflow run and register it; return the version's number.

    The package's code is logged with it, so the model loads without the project installed.
    """
    from longtail.serving.mlflow_model import ARTIFACT, SIGNATURE  # noqa: PLC0415
    from longtail.serving.storage import save_hybrid  # noqa: PLC0415

    served = served_hybrid(catalog, ITEM_KNN in read)
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
        client.create_registered_model(REGISTERED_MODEL)
    except MlflowException as error:
        if error.error_code != ErrorCode.Name(RESOURCE_ALREADY_EXISTS):
            raise
    made = client.create_model_version(
        REGISTERED_MODEL, f"models:/{logged.model_id}", run_id, model_id=logged.model_id
    )
    return str(made.version)


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
