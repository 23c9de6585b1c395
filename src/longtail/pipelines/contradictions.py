"""Contradictions between groups of parameters, found before anything runs."""

from __future__ import annotations

from collections.abc import Iterator

from longtail.errors import UserError
from longtail.pipelines.parameters import Parameters
from longtail.pipelines.selection import ModelSelection
from longtail.recommenders.registry import MODELS


def check_parameters(parameters: Parameters) -> None:
    """Refuse parameters that are valid one by one and contradict each other.

    Raises:
        UserError: with one sentence for each contradiction.
    """
    sentences = [
        *_list_lengths(parameters),
        *_settings(parameters),
        *_second_text(parameters),
        *_columns_and_times(parameters),
    ]
    if sentences:
        raise UserError("\n".join(sentences))


def _list_lengths(parameters: Parameters) -> Iterator[str]:
    """Yield list lengths above ``recommendation_length``, and more sentences than reasons."""
    length, judge = parameters.recommendation_length, parameters.llm_judge
    wanted = {
        "evaluation.ks": max(parameters.evaluation.ks),
        "hybrid.explained": parameters.hybrid.explained,
        "llm_judge.candidates": judge.candidates if judge.users else 0,
    }
    for name, items in wanted.items():
        if items > length:
            yield (
                f"Parameter {name} needs lists of {items} items, but recommendation_length is"
                f" {length}: lower {name} or raise recommendation_length."
            )
    if judge.users and judge.sentences > parameters.hybrid.explained:
        yield (
            f"Parameter llm_judge.sentences is {judge.sentences}, but only the first"
            f" {parameters.hybrid.explained} items of a list get a reason: lower it or raise"
            " hybrid.explained."
        )


def _settings(parameters: Parameters) -> Iterator[str]:
    """Yield settings of models that have no effect, or that do not rank items."""
    fitted = ModelSelection.of(parameters).fitted
    for name, given in parameters.recommenders.settings.items():
        if name not in fitted:
            yield (
                f"Parameter recommenders.settings.{name} has no effect: {name} is not fitted. Add"
                " it to recommenders.fitted or remove the setting."
            )
        elif given.get("task") == "rating":
            yield (
                f"Parameter recommenders.settings.{name}.task=rating predicts stars instead of"
                " ranking items: remove it; the pipeline language_study judges predicted stars."
            )
        kept = parameters.item_encoding.neighbours
        if name.startswith("text_knn") and given.get("neighbours", 0) > kept:
            yield (
                f"Parameter recommenders.settings.{name}.neighbours is {given['neighbours']}, but"
                f" item_encoding.neighbours keeps {kept}: lower the first or raise the second."
            )


def _second_text(parameters: Parameters) -> Iterator[str]:
    """Yield kinds of ``second_text`` that are switched off."""
    understanding = parameters.item_encoding.understanding
    off = {"keywords": understanding.keywords == 0, "summary": not understanding.summaries}
    switch = {"keywords": "keywords", "summary": "summaries"}
    for kind in parameters.item_encoding.second_text:
        if off[kind]:
            yield (
                f"Parameter item_encoding.second_text includes {kind}, but"
                f" item_encoding.understanding.{switch[kind]} is off: switch it on or remove"
                f" {kind}."
            )


def _columns_and_times(parameters: Parameters) -> Iterator[str]:
    """Yield settings of the cleaning that need what another setting takes away."""
    cleaning = parameters.behaviour_cleaning
    if cleaning.min_rating is not None and cleaning.interactions_columns.rating is None:
        yield (
            f"Parameter behaviour_cleaning.min_rating is {cleaning.min_rating}, but"
            " behaviour_cleaning.interactions_columns.rating is null: name the column of the"
            " ratings, or set min_rating to null."
        )
    if cleaning.protocol == "temporal" and cleaning.timestamps == "ordinal":
        yield (
            "Parameter behaviour_cleaning.protocol=temporal needs calendar times, but"
            " behaviour_cleaning.timestamps is ordinal: choose the protocol per_user or auto."
        )
    if parameters.repeat.origin > 0 and cleaning.protocol in ("item_cold", "user_cold"):
        yield (
            f"Parameter repeat.origin is {parameters.repeat.origin}, but"
            f" behaviour_cleaning.protocol={cleaning.protocol} hides items or users instead of a"
            " period: set repeat.origin to 0, or run `kedro repeat` with --origins 1."
        )
    if all(MODELS[name].reads for name in parameters.hybrid.sources):
        yield (
            "Parameter hybrid.sources names only models that read text: add a collaborative one,"
            " such as als."
        )
