"""Cleaning of catalogue texts: HTML, mojibake, control characters and white space."""

import html
import re

import ftfy
import ftfy.badness
import pandas as pd

# Only tag names of HTML, so that "<Live>" stays in a title; HTML parsers would remove it.
_TAG_NAMES = (
    "a|abbr|b|big|blockquote|body|br|center|cite|code|dd|div|dl|dt|em|font|form|h[1-6]|head|hr|"
    "html|i|iframe|img|input|li|link|meta|ol|option|p|pre|s|script|select|small|span|strike|"
    "strong|style|sub|sup|table|tbody|td|tfoot|th|thead|title|tr|tt|u|ul|video"
)
_TAG = re.compile(rf"</?(?:{_TAG_NAMES})(?:\s[^<>]*)?/?>|<!--.*?-->", re.DOTALL | re.IGNORECASE)
_ENTITY = re.compile(r"&(?:#\d+|#[xX][0-9a-fA-F]+|[A-Za-z][A-Za-z0-9]*);")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\u2060\ufeff]")
_SPACE = re.compile(r"\s+")
_SUSPICIOUS = re.compile(
    rf"{_TAG.pattern}|{_ENTITY.pattern}|{_CONTROL.pattern}", re.DOTALL | re.IGNORECASE
)
_PASSES = 4


def clean_texts(texts: pd.Series) -> pd.Series:
    """Return texts without markup, mojibake, control characters and runs of white space.

    Args:
        texts: (n,) strings, "" where empty.

    Returns:
        (n,) strings; cleaning them again changes nothing.
    """
    # Most texts are clean, and finding that out is much cheaper than cleaning them.
    suspicious = texts.str.contains(_SUSPICIOUS) | texts.map(ftfy.badness.is_bad).astype(bool)
    cleaned = texts.copy()
    cleaned[suspicious] = texts[suspicious].map(clean_text)
    return cleaned.str.replace(_SPACE, " ", regex=True).str.strip()


def clean_text(text: str) -> str:
    """Clean one text; what was escaped several times is unescaped as often."""
    for _ in range(_PASSES):
        once = _clean_once(text)
        if once == text:
            break
        text = once
    return text


def _clean_once(text: str) -> str:
    repaired = ftfy.fix_encoding(text)
    unescaped = _ENTITY.sub(lambda found: html.unescape(found[0]), repaired)
    return _SPACE.sub(" ", _CONTROL.sub("", _TAG.sub(" ", unescaped))).strip()
