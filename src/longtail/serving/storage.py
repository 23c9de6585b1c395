"""Saving and loading the served hybrid: one folder of JSON, safetensors and Parquet files."""

from __future__ import annotations

import json
from pathlib import Path
from shutil import copytree, ignore_patterns
from typing import Any

import numpy as np
import pandas as pd
from safetensors.numpy import load_file, save_file

from longtail.arrays import Arrays, pack_sparse, unpack_sparse, with_prefix, without_prefix
from longtail.behaviour.histories import Histories
from longtail.hybrid.model import Hybrid
from longtail.hybrid.parameters import HybridParameters
from longtail.recommenders.fitted_model import FittedModel
from longtail.recommenders.registry import MODELS
from longtail.serving.hybrid import ServedHybrid
from longtail.text.encoder_parameters import EncoderParameters
from longtail.text.keywords import KeywordTable
from longtail.text.text_map import TextMap

# Training curves are for inspection in MLflow and are not served.
CURVE = "curve."
# Subfolders of language models that are not installed as packages: the encoder, and those of
# sources.
ENCODER = "encoder"
READER = "reader_of_"
VECTORS = ("item_vectors", "frozen_vectors")
GRAPHS = ("behaviour_graph", "text_graph", "frozen_graph")
HISTORIES = ("users", "items", "weights", "timestamps", "disliked_users", "disliked_items")
TEXT_MAP = ("language", "adapted")


def save_hybrid(served: ServedHybrid, folder: Path) -> None:
    """Write the hybrid into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    description = {
        "parameters": served.parameters.model_dump(mode="json"),
        "gate": served.hybrid.to_json(),
        "encoder": served.text_map.encoder.model_dump(mode="json"),
        "sources": {
            name: model.recommender.model_dump(mode="json")
            for name, model in served.sources.items()
        },
    }
    (folder / "hybrid.json").write_text(json.dumps(description, indent=1), encoding="utf-8")
    save_file(_pack(served), folder / "arrays.safetensors")
    served.items.to_parquet(folder / "items.parquet", index=False)
    pd.DataFrame({"user_id": served.histories.user_ids}).to_parquet(folder / "users.parquet")
    for name, model in _folders_of_models(served).items():
        copytree(model, folder / name, ignore=ignore_patterns("*.md"), dirs_exist_ok=True)


def load_hybrid(folder: Path) -> ServedHybrid:
    """Return the hybrid that ``save_hybrid`` wrote."""
    description = json.loads((folder / "hybrid.json").read_text(encoding="utf-8"))
    arrays = load_file(folder / "arrays.safetensors")
    items = pd.read_parquet(folder / "items.parquet")
    users = pd.read_parquet(folder / "users.parquet")
    encoder = EncoderParameters(**description["encoder"])
    if (folder / ENCODER).is_dir():
        encoder = encoder.model_copy(update={"model": str(folder / ENCODER)})
    return ServedHybrid(
        hybrid=Hybrid.from_json(description["gate"]),
        parameters=HybridParameters(**description["parameters"]),
        sources={
            name: FittedModel(
                MODELS[name](**_with_copied_model(name, setting, folder)),
                without_prefix(f"source.{name}", arrays),
            )
            for name, setting in description["sources"].items()
        },
        histories=Histories(
            user_ids=users["user_id"].to_numpy(dtype=object),
            item_ids=items["item_id"].to_numpy(dtype=object),
            users=arrays["histories.users"],
            items=arrays["histories.items"],
            weights=arrays["histories.weights"],
            timestamps=arrays["histories.timestamps"],
            common_cutoff=bool(arrays["histories.common_cutoff"].all()),
            disliked_users=arrays["histories.disliked_users"],
            disliked_items=arrays["histories.disliked_items"],
        ),
        items=items,
        keywords=KeywordTable.of(items["text"], items["keywords"]),
        text_map=TextMap(
            encoder, *(without_prefix(f"text_map.{name}", arrays) for name in TEXT_MAP)
        ),
        item_vectors=arrays["item_vectors"],
        frozen_vectors=arrays["frozen_vectors"],
        **{name: unpack_sparse(name, arrays) for name in GRAPHS},
    )


def _folders_of_models(served: ServedHybrid) -> dict[str, Path]:
    """Return the folders of language models by the name of their copy."""
    models = {ENCODER: served.text_map.encoder.model} | {
        f"{READER}{name}": getattr(model.recommender, "model", "")
        for name, model in served.sources.items()
    }
    return {name: Path(model) for name, model in models.items() if model and Path(model).is_dir()}


def _with_copied_model(name: str, setting: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return the hyper-parameters of a source, which reads the copy of its language model."""
    copied = folder / f"{READER}{name}"
    return setting | {"model": str(copied)} if copied.is_dir() else setting


def _pack(served: ServedHybrid) -> Arrays:
    """Return all arrays of the hybrid under one name each."""
    arrays: Arrays = {name: getattr(served, name) for name in VECTORS}
    for source, model in served.sources.items():
        learned = {n: array for n, array in model.arrays.items() if not n.startswith(CURVE)}
        arrays |= with_prefix(f"source.{source}", learned)
    for name in HISTORIES:
        arrays[f"histories.{name}"] = getattr(served.histories, name)
    arrays["histories.common_cutoff"] = np.array([served.histories.common_cutoff])
    for name in GRAPHS:
        arrays |= pack_sparse(name, getattr(served, name))
    for name in TEXT_MAP:
        arrays |= with_prefix(f"text_map.{name}", getattr(served.text_map, name))
    # Safetensors require C-contiguous arrays.
    return {name: np.ascontiguousarray(array) for name, array in arrays.items()}
