"""Makes an environment for a folder of data, and says what is understood of its files."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from tokenizers import Tokenizer

from longtail import settings
from longtail.behaviour.cleaning.understood import lines
from longtail.datasets.source_files import find_source
from longtail.errors import UserError
from longtail.pipelines.behaviour_cleaning.nodes import clean_behaviour, read_columns
from longtail.project import open_catalog
from longtail.text.item_text import compose_item_text
from longtail.text.scripts import UNREADABLE_SHARE, unread_in_words, unreadable_words
from longtail.text.weights import tokenizer_file

STEMS = ("interactions", "items")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
_HEADER = "# Settings that differ from conf/base go into files beside this one.\n"


def make_environment(name: str, folder: Path) -> Path:
    """Write ``conf/<name>/globals.yml`` for a folder of data.

    Args:
        name: of the environment.
        folder: holds the files ``interactions`` and ``items``.

    Returns:
        The file written.

    Raises:
        UserError: if the environment exists, its name is not one, or the folder lacks a file.
    """
    environment = settings.PROJECT_ROOT / "conf" / name
    if not _NAME.fullmatch(name):
        raise UserError(
            f"'{name}' is not a name of an environment: use small letters, digits, - and _."
        )
    if environment.exists():
        raise UserError(
            f"The environment {name} exists (conf/{name}). Choose another name, or look at its "
            f"data with `kedro check-data --env={name}`."
        )
    folder = folder.expanduser().resolve()
    for stem in STEMS:
        find_source(folder, stem)
    content = {
        "source_folder": _escaped(str(folder)),
        "data_name": name,
        "data_root": f"data/{name}",
    }
    file = environment / "globals.yml"
    environment.mkdir(parents=True)
    file.write_text(
        _HEADER + yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8"
    )
    return file


def _escaped(path: str) -> str:
    """Escape a path that holds ${ for a configuration that is resolved twice."""
    return path.replace("${", r"\\\${")


def say_what_is_understood(env: str | None, say: Callable[[str], Any]) -> None:
    """Read and clean both files of an environment, save nothing, and say what was understood.

    Args:
        env: the environment.
        say: called with each line.

    Raises:
        UserError: if the files cannot be used; what was understood until then is said before.
    """
    with _quiet():
        catalog = open_catalog(env)
        for stem in STEMS:
            source: Any = catalog[f"raw_{stem}"]
            say(f"  {source.describe()}")
        log, items = (catalog.load(f"raw_{stem}") for stem in STEMS)
        parameters = catalog.load("params:behaviour_cleaning")
    # Outside: spaces that are removed around ids are said by the log.
    _, _, reading = read_columns(log, items, parameters)
    for line in lines(reading):
        say(line)
    with _quiet():
        outputs = clean_behaviour(log, items, parameters)
        kept_items, protocol, report = outputs[2], outputs[6], outputs[7]
        for line in lines(report["understood"][len(reading) :]):
            say(line)
        say(f"  split: {protocol['protocol']}. {protocol['reason']}")
        encoding = catalog.load("params:item_encoding")
        texts = compose_item_text(kept_items.to_pandas(), encoding.fields, encoding.max_characters)
        if unread := _unread(encoding.encoder.model, texts.tolist()):
            say(f"? items: {unread}")


def _unread(model: str, texts: list[str]) -> str:
    """Return the sentence on words that the encoder does not read, "" where it reads the texts.

    Only with a tokenizer that is on this machine.
    """
    file = tokenizer_file(model)
    if file is None:
        return ""
    share, words = unreadable_words(Tokenizer.from_file(str(file)), texts)
    return unread_in_words(model, share, words) if share > UNREADABLE_SHARE else ""


@contextmanager
def _quiet() -> Iterator[None]:
    """Log errors alone: what the log would say is said."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
