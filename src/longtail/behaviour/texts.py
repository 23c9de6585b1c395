"""Cleaning of catalogue texts: HTML, mojibake, control characters and white space."""

import html
import re

import pandas as pd

# Only names of HTML, so that "<Live>" stays in a title.
_TAG_NAMES = (
    "a|abbr|b|big|blockquote|body|br|center|cite|code|dd|div|dl|dt|em|font|form|h[1-6]|head|hr|"
    "html|i|iframe|img|input|li|link|meta|ol|option|p|pre|s|script|select|small|span|strike|"
    "strong|style|sub|sup|table|tbody|td|tfoot|th|thead|title|tr|tt|u|ul|video"
)
_TAG = re.compile(rf"</?(?:{_TAG_NAMES})(?:\s[^<>]*)?/?>|<!--.*?-->", re.DOTALL | re.IGNORECASE)
_ENTITY = re.compile(r"&(?:#\d+|#[xX][0-9a-fA-F]+|[A-Za-z][A-Za-z0-9]*);")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\u2060\ufeff]")
_SPACE = re.compile(r"\s+")
# What the second byte of a UTF-8 sequence looks like when it is read as Windows-1252.
_CONTINUATION = bytes(range(0x80, 0xC0)).decode("cp1252", errors="ignore") + r"\x80-\x9f"
_MOJIBAKE = re.compile(rf"[\xc2-\xf4][{_CONTINUATION}]")
_SUSPICIOUS = re.compile(
    rf"{_TAG.pattern}|{_ENTITY.pattern}|{_CONTROL.pattern}|{_MOJIBAKE.pattern}",
    re.DOTALL | re.IGNORECASE,
)
_PASSES = 4


def clean_texts(texts: pd.Series) -> pd.Series:
    """Return texts without markup, broken encodings, control characters and runs of white space.

    Args:
        texts: (n,) strings, "" where empty.

    Returns:
        (n,) strings; cleaning them again changes nothing.
    """
    suspicious = texts.str.contains(_SUSPICIOUS)
    cleaned = texts.copy()
    cleaned[suspicious] = texts[suspicious].map(clean_text)
    return cleaned.str.replace(_SPACE, " ", regex=True).str.strip()


def clean_text(text: str) -> str:
    """Clean one text; texts that were escaped several times are unescaped as often."""
    for _ in range(_PASSES):
        once = _clean_once(text)
        if once == text:
            break
        text = once
    return text


def _clean_once(text: str) -> str:
    unescaped = _ENTITY.sub(lambda found: html.unescape(found[0]), _repair_encoding(text))
    return _SPACE.sub(" ", _CONTROL.sub("", _TAG.sub(" ", unescaped))).strip()


def _repair_encoding(text: str) -> str:
    """Undo the reading of UTF-8 as Windows-1252, where the whole text can be undone."""
    if not _MOJIBAKE.search(text):
        return text
    try:
        # C1 control characters are what Windows-1252 leaves undefined.
        raw = b"".join(
            char.encode("latin-1") if "\x80" <= char <= "\x9f" else char.encode("cp1252")
            for char in text
        )
        return raw.decode("utf-8")
    except UnicodeError:
        return text
