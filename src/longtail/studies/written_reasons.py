"""Reasons written by a generative language model, checked against the given facts."""

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
# Entries of the stop-word list that carry meaning: numbers, things, negations.
MEANINGFUL = frozenset(
    WORD.findall(
        "amount bill bottom call cannot con cry describe detail eight eleven empty fifteen fifty"
        " fill fire first five forty four front full hundred interest least less many mill more"
        " most never nine no nobody none nor not nothing one part sincere six sixty system ten"
        " thick thin third three top twelve twenty two without"
    )
)
FUNCTION_WORDS: frozenset[str] = ENGLISH_STOP_WORDS - MEANINGFUL


def facts_of(reason: Mapping[Any, str]) -> str:
    """Return the facts that a sentence may use, one per line; "" where there are none.

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
    """Return whether a text is a complete sentence whose content words all occur in the facts.

    The comparison ignores case; whether the words are combined truthfully is not checked.
    """
    complete = len(sentence) > 1 and sentence[-1] in ".!" and "\n" not in sentence
    used = content_words(sentence)
    return complete and bool(used) and used <= content_words(facts)


def content_words(text: str) -> set[str]:
    """Return the words and numbers of a text in lower case, without function words."""
    words: set[str] = set(WORD.findall(POSSESSIVE.sub("", text.lower())))
    return words - FUNCTION_WORDS
