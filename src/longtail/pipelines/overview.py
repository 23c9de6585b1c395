"""The default pipeline as Kedro-Viz shows it: five stages, with little between them.

Kedro-Viz draws a dataset inside a stage only if something reads it, and only inside. In the real
graph each model writes four datasets that other stages read, and no node reads the figures: a
hundred boxes outside of the stages. Here nodes that are never run read them inside.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kedro.pipeline import Node, Pipeline

from longtail.pipelines import (
    behaviour_cleaning,
    evaluation,
    hybrid_scoring,
    item_encoding,
)
from longtail.pipelines.recommenders.pipeline import model_pipeline
from longtail.pipelines.selection import ModelSelection
from longtail.reporting.figures.profile import PLOTS

FITTED, LISTS = "fitted_models", "recommendations"
# Results that stand at the end of the picture; all others are inside their stages.
SHOWN = frozenset({"leaderboard", "evaluation_report", "reasons"})


def collect(*datasets: Any) -> None:
    """Stand for the readers of a stage's results: in the picture alone, never run."""
    raise NotImplementedError


def restore() -> None:
    """Stand for what earlier runs have left: in the picture alone, never run."""
    raise NotImplementedError


def create_overview(models: ModelSelection) -> Pipeline:
    """Return the default pipeline with the same nodes, drawn as five stages with tags.

    Args:
        models: the models that are fitted.
    """
    lists = {f"recommendations_{name}" for name in models.fitted}
    fitted = sum((_model(name) for name in models.fitted), start=Pipeline([]))
    gathered = Pipeline(
        [
            Node(collect, list(models.fitted), FITTED, name="collect_models"),
            Node(collect, sorted(lists), LISTS, name="collect_lists"),
        ],
        namespace="recommenders",
        prefix_datasets_with_namespace=False,
    )
    stages = {
        "behaviour_cleaning": behaviour_cleaning.create_pipeline(),
        # One box stands for both caches, as checkpoints would otherwise be outside of both stages.
        "item_encoding": Pipeline(
            item_encoding.create_pipeline(), inputs={"checkpoints": "cached_embeddings"}
        )
        + _earlier("cached_embeddings", "item_encoding"),
        "recommenders": fitted + gathered + _earlier("checkpoints", "recommenders"),
        "hybrid_scoring": hybrid_scoring.create_pipeline(models),
        "evaluation": evaluation.create_pipeline(models),
    }
    replaced = dict.fromkeys(lists, LISTS)
    for name in models.fitted:
        replaced |= dict.fromkeys(_fitted(name), FITTED)
    # What is only for the evaluation and the report is drawn where it is made: one box stands for
    # the tables of the split, one for figures and reports of each stage.
    of_split = ("validation_interactions@pandas", "item_groups", "user_groups", "interactions@ibis")
    replaced |= dict.fromkeys(of_split, "test_interactions@pandas")
    replaced |= dict.fromkeys((*PLOTS, "split", "cleaning_report"), "data_profile")
    replaced |= dict.fromkeys(("gate_plot", "tail_emphasis_plot"), "hybrid_gate")
    for name in ("hybrid_scoring", "evaluation"):
        stage = stages[name]
        read_by_it = {old: new for old, new in replaced.items() if old in stage.inputs()}
        stages[name] = Pipeline(stage, inputs=read_by_it)
    read = {name: stage.inputs() for name, stage in stages.items()}
    drawn = Pipeline([])
    for name, stage in stages.items():
        elsewhere = set().union(*(inputs for other, inputs in read.items() if other != name))
        unread = sorted(stage.all_outputs() - stage.all_inputs() - _plain(elsewhere) - SHOWN)
        if unread:
            reader = Node(collect, unread, None, name="collect_results", namespace=name)
            drawn += Pipeline([reader], tags=name)
        drawn += Pipeline(stage, tags=name)
    return drawn


def _fitted(name: str) -> list[str]:
    """Return the datasets of a model besides its lists."""
    kinds = ("hyperparameters", "trials", "validation_model", "model")
    return [f"{name}_{kind}" for kind in kinds]


def _model(name: str) -> Pipeline:
    """Return the nodes of one model; a dataset with its name and its lists leave its box."""
    namespace = f"recommenders.{name}"
    return model_pipeline(name, namespace) + Pipeline(
        [Node(collect, _fitted(name), name, name="collect", namespace=namespace)]
    )


def _earlier(dataset: str, stage: str) -> Pipeline:
    """Return a node that puts a cache inside the stage that uses it."""
    return Pipeline([Node(restore, None, dataset, name=f"restore_{dataset}", namespace=stage)])


def _plain(datasets: Iterable[str]) -> set[str]:
    """Return names as outputs have them, whatever the format that they are read in."""
    stems = {name.partition("@")[0] for name in datasets}
    return stems | {f"{stem}@ibis" for stem in stems}
