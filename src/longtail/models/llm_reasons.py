"""Reasons in one sentence by a generative language model that may only say what it was told."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

PROMPT = (
    "{facts}\n\nUsing only these facts, write one short sentence that tells the customer why the"
    " item is recommended."
)
WORD = re.compile(r"[^\W_]+")
POSSESSIVE = re.compile(r"['\u2019]s\b")
# Words of the usual list of stop words that say something: a number, a thing or a denial.
TELLING = frozenset(
    WORD.findall(
        "amount bill bottom call cannot con cry describe detail eight eleven empty fifteen fifty"
        " fill fire first five forty four front full hundred interest least less many mill more"
        " most never nine no nobody none nor not nothing one part sincere six sixty system ten"
        " thick thin third three top twelve twenty two without"
    )
)
FUNCTION_WORDS = ENGLISH_STOP_WORDS - TELLING


def facts_of(reason: Mapping[Any, str]) -> str:
    """Return what a sentence may say of a recommendation, a fact a line; "" without a reason.

    Args:
        reason: title, own_title_by_behaviour, own_title_by_text, keywords; "" where there is none.
    """
    own = dict.fromkeys([reason["own_title_by_behaviour"], reason["own_title_by_text"]])
    chosen = [f"The customer chose: {title}" for title in own if title]
    if not chosen:
        return ""
    keywords = [f"Both are about: {reason['keywords']}"] if reason["keywords"] else []
    return "\n".join([f"Recommended item: {reason['title']}", *chosen, *keywords])


def is_supported(sentence: str, facts: str) -> bool:
    """Whether a text is one whole sentence all of whose telling words and numbers are in the facts.

    Words are compared without regard to case; what they say together is not checked.
    """
    whole = len(sentence) > 1 and sentence[-1] in ".!" and "\n" not in sentence
    said = telling_words(sentence)
    return whole and bool(said) and said <= telling_words(facts)


def telling_words(text: str) -> set[str]:
    """Return the words and numbers of a text in lower case, without those of grammar alone."""
    return set(WORD.findall(POSSESSIVE.sub("", text.lower()))) - FUNCTION_WORDS
