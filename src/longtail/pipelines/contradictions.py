"""Contradictions between groups of parameters, found before anything runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from longtail.errors import UserError
from longtail.pipelines.selection import ModelSelection


def check_parameters(parameters: Mapping[str, Any]) -> None:
    """Refuse parameters that are valid one by one and contradict each other.

    Args:
        parameters: as the configuration gives them, with those of the command line.

    Raises:
        UserError: with one sentence for each contradiction.
    """
    sentences = [
        *_longer_than_the_lists(parameters),
        *_settings_of_other_models(parameters),
        *_texts_that_are_not_written(parameters),
    ]
    if sentences:
        raise UserError("\n".join(sentences))


def _longer_than_the_lists(parameters: Mapping[str, Any]) -> Iterator[str]:
    """Yield what wants to see more items than a saved list has, or more reasons than are given."""
    length = parameters["recommendation_length"]
    explained = parameters["hybrid"]["explained"]
    wanted = {
        "evaluation.ks": max(parameters["evaluation"]["ks"], default=0),
        "hybrid.explained": explained,
        "llm_judge.candidates": parameters["llm_judge"]["candidates"],
    }
    for name, items in wanted.items():
        if items > length:
            yield (
                f"Parameter {name} asks for {items} items of a list, and recommendation_length is"
                f" {length}: lower the one or raise the other."
            )
    sentences = parameters["llm_judge"]["sentences"]
    if sentences > explained:
        yield (
            f"Parameter llm_judge.sentences is {sentences}, and only the first {explained} items"
            " of a list get a reason (hybrid.explained): lower the one or raise the other."
        )


def _settings_of_other_models(parameters: Mapping[str, Any]) -> Iterator[str]:
    """Yield settings that would have no effect, or that do not rank items."""
    models = ModelSelection.of(parameters)
    settings = parameters["recommenders"]["settings"]
    for name, given in settings.items():
        if name not in models.fitted:
            yield (
                f"Parameter recommenders.settings.{name} has no effect: {name} is not fitted. Add"
                " it to recommenders.fitted or take the setting out."
            )
        elif given.get("task") == "rating":
            yield (
                f"Parameter recommenders.settings.{name}.task=rating predicts stars instead of"
                " ranking items: take it out; the pipeline language_study judges predicted stars."
            )


def _texts_that_are_not_written(parameters: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the second encoding adds to the texts and nobody writes."""
    encoding = parameters["item_encoding"]
    understanding = encoding["understanding"]
    written = {"keywords": understanding["keywords"] > 0, "summary": understanding["summaries"]}
    switch = {"keywords": "keywords", "summary": "summaries"}
    for kind in encoding["second_text"]:
        if not written.get(kind, True):
            yield (
                f"Parameter item_encoding.second_text names {kind}, which no item has: switch on"
                f" item_encoding.understanding.{switch[kind]} or take {kind} out."
            )
