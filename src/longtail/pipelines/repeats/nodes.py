"""Nodes of the summary over repeats."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from longtail.metrics.repeats import Repeat, difference_table, roles, spread_table
from longtail.pipelines.evaluation.params import EvaluationParameters
from longtail.recommenders.registry import MODELS
from longtail.reporting.repeats_terminal import print_repeats


def summarise_repeats(
    repeat_results: Sequence[dict[str, Any]], parameters: EvaluationParameters
) -> dict[str, Any]:
    """Return the spread of every model and the differences of the hybrid over the repeats.

    Args:
        repeat_results: origin, seed, version, leaderboard and comparisons of each repeat.
        parameters: name the baseline.

    Returns:
        runs, roles (the model of each), values and differences.
    """
    names = ("origin", "seed", "version")
    repeats = [
        Repeat(run["origin"], run["seed"], run["leaderboard"], run["comparisons"])
        for run in repeat_results
    ]
    values = spread_table(repeats)
    with_text = [name for name, model in MODELS.items() if model.reads]
    shown = roles(values, parameters.baseline, with_text)
    others = dict.fromkeys(model for role, model in shown.items() if role != "hybrid")
    return {
        "runs": [{name: run[name] for name in names} for run in repeat_results],
        "roles": shown,
        "values": values,
        "differences": difference_table(repeats, others),
    }


def show_repeats(repeats: dict[str, Any], parameters: EvaluationParameters) -> None:
    """Print the summary to the terminal."""
    print_repeats(repeats, parameters.confidence)
