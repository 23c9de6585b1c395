"""Logs the hybrid of a run as an MLflow model and registers it.

What fits and serves models is imported where it is used: commands start without it.
"""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import mlflow
import pandas as pd
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from mlflow.tracking import MlflowClient

import longtail
from longtail.hooks.versions import made_by

if TYPE_CHECKING:
    from longtail.arrays import Arrays
    from longtail.serving.hybrid import ServedHybrid
    from longtail.text.encoder import EncoderParameters
    from longtail.text.text_map import TextMap

MODEL = "hybrid"
REGISTERED_MODEL = "longtail-hybrid"
# What the served code imports.
PACKAGES = (
    "ibis-framework",
    "implicit",
    "irspack",
    "mlflow",
    "numpy",
    "optuna",
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

# What is served with the hybrid and a run that recommends with it need not read or make.
SERVED = (
    "vector_choice",
    "adapted_vectors",
    "language_vectors",
    "item_understanding",
    "item_knn_model",
    "frozen_neighbours",
    "text_neighbours",
)


def makes_hybrid(pipeline: Pipeline) -> bool:
    """Whether a pipeline recommends with the hybrid, as it does with each newly fitted one."""
    return "recommendations_hybrid" in made_by(pipeline)


def served_hybrid(catalog: DataCatalog) -> ServedHybrid:
    """Put the hybrid together from what a run has saved."""
    from longtail.models import MODELS  # noqa: PLC0415
    from longtail.models.hybrid import Hybrid, HybridParameters  # noqa: PLC0415
    from longtail.models.neighbours import TextKNN, graph_of  # noqa: PLC0415
    from longtail.models.text_profile import TextProfile  # noqa: PLC0415
    from longtail.pipelines import recommenders  # noqa: PLC0415
    from longtail.serving.hybrid import ServedHybrid  # noqa: PLC0415
    from longtail.text.keywords import KeywordTable  # noqa: PLC0415

    parameters = HybridParameters.model_validate(catalog["params:hybrid"].load())
    entries = recommenders.tables_read_by(
        *(MODELS[name] for name in parameters.sources), TextKNN, TextProfile, without=("ratings",)
    )
    tables = {name: catalog[entry].load() for name, entry in entries.items()}
    data = recommenders.training_data(**tables, seed=0, with_validation=True)
    parts: dict[str, Any] = {}
    for name in parameters.sources:
        parts[f"{name}_hyperparameters"] = catalog[f"{name}_hyperparameters"].load()
        parts[f"{name}_arrays"] = catalog[f"{name}_model"].load()
    items = catalog["items@pandas"].load()[["item_id", "title"]]
    items = items.assign(
        text=catalog["item_texts"].load()["text"].to_numpy(),
        keywords=catalog["item_understanding"].load()["keywords"].to_numpy(),
    )
    return ServedHybrid(
        hybrid=Hybrid.from_json(catalog["hybrid_gate"].load()),
        parameters=parameters,
        sources=recommenders.fitted_models(MODELS, parameters.sources, parts),
        histories=data.histories,
        item_vectors=data.item_vectors,
        behaviour_graph=graph_of(catalog["item_knn_model"].load(), data.histories.n_items),
        text_graph=data.text_neighbours,
        items=items,
        keywords=KeywordTable.of(items["text"], items["keywords"]),
        frozen_vectors=catalog["language_vectors"].load()["vectors"],
        frozen_graph=catalog["frozen_neighbours"].load(),
        text_map=text_map(catalog),
    )


def text_map(catalog: DataCatalog) -> TextMap:
    """Put together what makes vectors of texts, as the catalogue's items have them."""
    from longtail.pipelines.item_encoding.params import ItemEncodingParameters  # noqa: PLC0415
    from longtail.text.text_map import TextMap  # noqa: PLC0415

    parameters = ItemEncodingParameters.model_validate(catalog["params:item_encoding"].load())
    adapted: Arrays = {}
    if catalog["vector_choice"].load()["chosen"] == "adapted":
        adapted = catalog["adapted_vectors"].load()
    language = catalog["language_vectors"].load()
    return TextMap(
        parameters.encoder, *(_without_vectors(arrays) for arrays in (language, adapted))
    )


def _without_vectors(arrays: Arrays) -> Arrays:
    """Return what made the vectors of the catalogue, without them."""
    left_out = ("vectors", "curve.")
    return {name: array for name, array in arrays.items() if not name.startswith(left_out)}


def log_hybrid(client: MlflowClient, run_id: str, catalog: DataCatalog) -> str:
    """Log the hybrid to the active MLflow run and register it; return the version's number.

    The package's code goes with it, so the model loads where the project is not installed.
    """
    from longtail.serving.mlflow_model import ARTIFACT, SIGNATURE  # noqa: PLC0415

    served = served_hybrid(catalog)
    package = Path(longtail.__file__).parent
    with TemporaryDirectory() as folder:
        served.save(Path(folder))
        logged = mlflow.pyfunc.log_model(
            name=MODEL,
            python_model=str(package / "serving/mlflow_model.py"),
            artifacts={ARTIFACT: folder},
            code_paths=[str(package)],
            signature=SIGNATURE,
            input_example=example(served),
            pip_requirements=requirements(served.text_map.encoder),
        )
    # The function that does this in one step prints what it does.
    if not client.search_registered_models(f"name = '{REGISTERED_MODEL}'"):
        client.create_registered_model(REGISTERED_MODEL)
    made = client.create_model_version(
        REGISTERED_MODEL, f"models:/{logged.model_id}", run_id, model_id=logged.model_id
    )
    return str(made.version)


def example(served: ServedHybrid) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return a request for a known user and one for somebody who has three items."""
    histories = served.histories
    known = str(histories.user_ids[histories.users[0]])
    items = [str(item) for item in histories.item_ids[histories.items[:3]]]
    return pd.DataFrame({"user_id": [known, None], "item_ids": [None, items]}), {"k": 10}


def requirements(encoder: EncoderParameters) -> list[str]:
    """Return the packages that the model needs, as they are installed here.

    Args:
        encoder: a package that carries its weights, or computes in its precision, is needed too.
    """
    from longtail.text.weights import packages_of  # noqa: PLC0415

    of_precision = ("torchao",) if encoder.precision == "int8" else ()
    needed = (*PACKAGES, *packages_of(encoder.model), *of_precision)
    return [f"{package}=={version(package).partition('+')[0]}" for package in needed]
