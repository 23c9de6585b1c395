"""Only models that the parameters want are in the graph."""

from pathlib import Path
from typing import Any

import pytest
from kedro.config import OmegaConfigLoader
from kedro.framework.project import pipelines, settings
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.pipeline import Pipeline

from longtail.errors import UserError
from longtail.pipelines.contradictions import check_parameters
from longtail.pipelines.parameters import Parameters, read_parameters
from longtail.pipelines.selection import ModelSelection
from longtail.recommenders.registry import MODELS

ROOT = Path(__file__).resolve().parents[2]


def graphs(env: str, params: dict[str, Any] | None = None) -> dict[str, Pipeline]:
    """Pipelines of an environment, as a run sees them."""
    bootstrap_project(ROOT)
    with KedroSession.create(ROOT, env=env, runtime_params=params) as session:
        session.load_context()
    return dict(pipelines)


def fitted_in(pipeline: Pipeline) -> set[str]:
    recommended = {name for name in pipeline.all_outputs() if name.startswith("recommendations_")}
    return {name.removeprefix("recommendations_") for name in recommended}


FEW = {"recommenders": {"fitted": ["popularity"]}, "hybrid": {"sources": ["ials", "text_knn"]}}


def test_what_is_wanted_is_in_the_graph_and_nothing_else() -> None:
    few = graphs("base", FEW)
    models = {"popularity", "ials", "text_knn", "als"}
    assert fitted_in(few["__default__"]) == models | {"hybrid"}
    assert few["evaluation"].inputs() >= {f"recommendations_{model}" for model in models}
    for name, pipeline in few.items():
        mentioned = {
            dataset for node in pipeline.nodes for dataset in (*node.inputs, *node.outputs)
        }
        for model in MODELS.keys() - models:
            assert not {f"{model}_model", f"recommendations_{model}"} & mentioned, (name, model)


def test_the_study_fits_every_model_but_the_networks() -> None:
    assert fitted_in(graphs("networks")["__default__"]) == {*MODELS, "hybrid"}
    networks = {"semantic_matching", "sequence_transformer", "interest_network"}
    networks |= {"cluster_attention", "language_model_ranker"}
    assert fitted_in(graphs("study")["__default__"]) == {*MODELS, "hybrid"} - networks


def test_the_graph_follows_the_newest_context() -> None:
    graphs("networks")
    assert "interest_network" not in fitted_in(graphs("base")["__default__"])


def test_the_baseline_is_fitted_without_being_named_twice() -> None:
    few = graphs("base", FEW | {"evaluation": {"baseline": "ease"}})
    assert "ease" in fitted_in(few["recommenders"])
    gate = few["hybrid_scoring"].only_nodes_with_outputs("hybrid_gate")
    assert "ease_validation_model" in gate.inputs()


def test_the_second_encoding_is_in_the_graph_where_it_is_wanted() -> None:
    assert "second_language_vectors" not in graphs("base")["arms"].datasets()
    wanted = graphs("base", {"item_encoding": {"second_text": ["keywords"]}})["arms"]
    assert "second_language_vectors" in wanted.datasets()


def parameters(changes: dict[str, Any] | None = None) -> Parameters:
    """The base parameters with changes as of the command line."""
    bootstrap_project(ROOT)
    loader = OmegaConfigLoader(
        str(ROOT / "conf"), env="base", runtime_params=changes, **settings.CONFIG_LOADER_ARGS
    )
    return read_parameters(loader["parameters"])


def test_models_keep_the_order_of_the_registry_and_sources_theirs() -> None:
    changes = {
        "recommenders": {"fitted": ["ials", "random"]},
        "hybrid": {"sources": ["text_knn", "als"]},
    }
    selection = ModelSelection.of(parameters(changes))
    assert selection.fitted == ("random", "als", "ials", "text_knn")
    assert selection.sources == ("text_knn", "als")
    assert selection.other_than_als == ("random", "ials", "text_knn")


JUDGE = {"users": 5, "candidates": 20, "sentences": 2}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            {"evaluation": {"ks": [10, 20, 200]}},
            "evaluation.ks needs lists of 200 items, but recommendation_length is 100",
        ),
        ({"hybrid": {"explained": 101}}, "hybrid.explained needs lists of 101"),
        ({"llm_judge": JUDGE | {"candidates": 300}}, "llm_judge.candidates needs lists of 300"),
        ({"llm_judge": JUDGE | {"sentences": 11}}, "only the first 10 items of a list"),
        (
            {"recommenders": {"settings": {"ease_recent": {"max_items": 5}}}},
            "recommenders.settings.ease_recent has no effect: ease_recent is not fitted",
        ),
        (
            {
                "recommenders": {
                    "fitted": ["language_model_ranker"],
                    "settings": {"language_model_ranker": {"task": "rating"}},
                }
            },
            "task=rating predicts stars instead of ranking items",
        ),
        (
            {"item_encoding": {"second_text": ["keywords", "summary"]}},
            "second_text includes summary, but item_encoding.understanding.summaries is off",
        ),
        (
            {
                "item_encoding": {"neighbours": 20},
                "recommenders": {"settings": {"text_knn": {"neighbours": 50}}},
            },
            "text_knn.neighbours is 50, but item_encoding.neighbours keeps 20",
        ),
        (
            {"behaviour_cleaning": {"min_rating": 3, "interactions_columns": {"rating": None}}},
            "interactions_columns.rating is null",
        ),
        (
            {"behaviour_cleaning": {"protocol": "temporal", "timestamps": "ordinal"}},
            "protocol=temporal needs calendar times",
        ),
        ({"hybrid": {"sources": ["text_knn"]}}, "names only models that read text"),
        (
            {"behaviour_cleaning": {"protocol": "user_cold"}, "repeat": {"origin": 1}},
            "repeat.origin is 1, but behaviour_cleaning.protocol=user_cold hides items or users",
        ),
    ],
)
def test_parameters_that_contradict_each_other_are_named(
    change: dict[str, Any], sentence: str
) -> None:
    check_parameters(parameters())
    with pytest.raises(UserError) as refused:
        check_parameters(parameters(change))
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)


def test_all_contradictions_are_reported_together() -> None:
    changes = {"hybrid": {"explained": 101}, "llm_judge": JUDGE | {"candidates": 300}}
    with pytest.raises(UserError) as refused:
        check_parameters(parameters(changes))
    assert len(str(refused.value).splitlines()) == 2
