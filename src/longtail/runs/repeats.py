"""Which runs a repeated study consists of, and the parameters of each."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any, NamedTuple

SEED = "seed"
REPEAT = "repeat"
CLEANING = "behaviour_cleaning"
# Repeats share the cleaned data and the embeddings, so the parameters of the steps that make them
# stay: of their seeds, that of the repeat takes the place.
SHARED = (CLEANING, "item_encoding", REPEAT)


class RepeatKey(NamedTuple):
    """One run of a repeated study.

    Attributes:
        origin: test periods that are cut off the end of the log.
        seed: 0 for the configured seeds; s adds s to each of them.
    """

    origin: int
    seed: int


def plan(origins: int, seeds: int) -> list[RepeatKey]:
    """Return all repeats, the one of the whole log and the configured seeds last.

    What it saves is then the newest version of every dataset, as after ``kedro run``.
    """
    return [RepeatKey(*key) for key in product(reversed(range(origins)), reversed(range(seeds)))]


def parameters_of(repeat: RepeatKey, configured: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters that a repeat changes.

    Every parameter whose name is or ends in ``seed`` is moved, or replaced by ``repeat.seed``, so
    that split, vectors, tuning, models and bootstrap draw anew.

    Args:
        repeat: which one.
        configured: all parameters of the study, group by group.
    """
    origin = {"origin": repeat.origin}
    if repeat.seed == 0:
        return {REPEAT: origin}
    own = configured[REPEAT][SEED]
    seed = (configured[CLEANING][SEED] if own is None else own) + repeat.seed
    others = {name: group for name, group in configured.items() if name not in SHARED}
    return _moved(others, repeat.seed) | {REPEAT: origin | {SEED: seed}}


def _moved(values: Mapping[str, Any], by: int) -> dict[str, Any]:
    """Return the nested seeds among parameters, each higher by a number."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            if inner := _moved(value, by):
                found[name] = inner
        elif isinstance(value, int) and (name == SEED or name.endswith(f"_{SEED}")):
            found[name] = value + by
    return found


def merged(given: Mapping[str, Any], changed: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested parameters with changes put over them."""
    result = dict(given)
    for name, value in changed.items():
        former = result.get(name)
        if isinstance(former, Mapping) and isinstance(value, Mapping):
            result[name] = merged(former, value)
        else:
            result[name] = value
    return result
