"""Whether an encoder reads the scripts that texts are written in."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Any

from tokenizers import Tokenizer

# Texts that are looked at; more would not change a share by much.
SAMPLE = 1000
# A share of unknown characters from which an encoder does not read a script.
UNREADABLE_SHARE = 0.1
# Encoders that know an alphabet need fewer word pieces than this for a letter.
PIECES_PER_LETTER = 0.75
# Models write these characters one by one, however well they read them.
_ONE_BY_ONE = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "THAI", "LAO", "KHMER", "MYANMAR")
_WORD = re.compile(r"[^\W\d_]+")


def unreadable_words(tokenizer: Any, texts: Sequence[str]) -> tuple[float, list[str]]:
    """Return the share of the words that an encoder does not read, and three of them.

    A word is not read if the tokenizer takes a part of it for an unknown token, or if it writes a
    word of an alphabet other than the Latin one letter by letter, or byte by byte.

    Args:
        tokenizer: of transformers or tokenizers.
        texts: evenly spaced ones are looked at if there are many.

    Returns:
        The share (0 without words), and the first of these words.
    """
    step = max(1, len(texts) // SAMPLE)
    words = [word for text in texts[::step][:SAMPLE] for word in _WORD.findall(text)]
    distinct = sorted(set(words))
    pieces, unknown = _pieces(tokenizer, distinct)
    unread = {
        word
        for word, ids in zip(distinct, pieces, strict=True)
        if unknown in ids or _is_spelt(word, len(ids))
    }
    found = [word for word in words if word in unread]
    return (len(found) / len(words) if words else 0.0), list(dict.fromkeys(found))[:3]


def unread_in_words(model: str, share: float, words: Sequence[str]) -> str:
    """Return the sentence on words that an encoder does not read, and what to do.

    Args:
        model: name of the encoder.
        share: of the words.
        words: examples.
    """
    return (
        f"The encoder {model} does not read {100 * share:.0f} % of the words of the item texts, "
        f"such as {', '.join(words)}: their vectors carry little information. Choose a model for "
        "their language with item_encoding.encoder.model, for example use_multilingual or "
        "sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2."
    )


def _pieces(tokenizer: Any, words: list[str]) -> tuple[list[list[int]], int | None]:
    """Return the word pieces of each word, and the id of the unknown token, None without one."""
    if not words:
        return [], None
    if isinstance(tokenizer, Tokenizer):
        found = tokenizer.encode_batch(words, add_special_tokens=False)
        return [one.ids for one in found], tokenizer.token_to_id("[UNK]")
    return tokenizer(words, add_special_tokens=False)["input_ids"], tokenizer.unk_token_id


def _is_spelt(word: str, n_pieces: int) -> bool:
    """Return whether a longer word of another alphabet is written letter by letter."""
    script = unicodedata.name(word[0], "")
    is_other_alphabet = not script.startswith(("LATIN", *_ONE_BY_ONE))
    return is_other_alphabet and len(word) > 3 and n_pieces > PIECES_PER_LETTER * len(word)
