"""The spread of results over repeats as tables for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.table import Table

from longtail.metrics.repeats import HEADLINES
from longtail.reporting.terminal import print_table

_LABELS = {(metric, item_group): label for label, metric, item_group in HEADLINES}


def spread_table(summary: Mapping[str, Any], confidence: float) -> Table:
    """Return mean, spreads and interval of each headline, for the model of each role.

    Args:
        summary: the dataset ``repeats``.
        confidence: coverage of the interval over users.
    """
    origins = len({run["origin"] for run in summary["runs"]})
    seeds = len({run["seed"] for run in summary["runs"]})
    title = (
        f"Spread over {origins} origin{'s' * (origins > 1)} in time"
        f" and {seeds} seed{'s' * (seeds > 1)}"
    )
    table = Table(title=title, box=box.SIMPLE_HEAD, show_edge=False)
    for header in ("model", "metric"):
        table.add_column(header, no_wrap=True)
    interval = f"{100 * confidence:g} % interval over users,\nfirst repeat"
    for header in ("mean", "sd over\norigins", "sd over\nseeds", interval):
        table.add_column(header, justify="right", no_wrap=True)
    for model, names in _roles_of_models(summary["roles"]).items():
        rows = [row for row in summary["values"] if row["model"] == model]
        rows.sort(key=lambda row: list(_LABELS).index((row["metric"], row["item_group"])))
        for place, row in enumerate(rows):
            table.add_row(
                ("", _shown(model, names))[place == 0],
                _label(row),
                f"{row['mean']:.4f}",
                *(_number(row[name]) for name in ("sd_origins", "sd_seeds")),
                _interval(row, ""),
                end_section=place == len(rows) - 1,
            )
    return table


def differences_table(summary: Mapping[str, Any], confidence: float) -> Table:
    """Return the hybrid minus each other model shown: mean, extremes and agreement of the sign.

    Args:
        summary: the dataset ``repeats``.
        confidence: coverage of the interval over users.
    """
    table = Table(title="Differences over the repeats", box=box.SIMPLE_HEAD, show_edge=False)
    for header in ("difference", "metric"):
        table.add_column(header, no_wrap=True)
    interval = f"{100 * confidence:g} % interval over users,\nfirst repeat"
    for header in ("mean", "lowest", "highest", "same sign", interval):
        table.add_column(header, justify="right", no_wrap=True)
    seen = ""
    for row in summary["differences"]:
        pair = f"{row['model']} - {row['other']}"
        table.add_row(
            "" if pair == seen else pair,
            _label(row),
            *(f"{row[name]:+.4f}" for name in ("mean", "low", "high")),
            f"{row['n_same_sign']} of {row['n_repeats']}",
            _interval(row, "+"),
        )
        seen = pair
    return table


def print_repeats(summary: Mapping[str, Any], confidence: float) -> None:
    """Print both tables to the standard output."""
    print_table(spread_table(summary, confidence))
    print_table(differences_table(summary, confidence))


def _roles_of_models(roles: Mapping[str, str]) -> dict[str, list[str]]:
    models: dict[str, list[str]] = {}
    for role, model in roles.items():
        models.setdefault(model, []).append(role)
    return models


def _shown(model: str, names: list[str]) -> str:
    others = [name for name in names if name != model]
    return f"{model} ({', '.join(others)})" if others else model


def _label(row: Mapping[str, Any]) -> str:
    return f"{_LABELS[row['metric'], row['item_group']]}@{row['k']}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _interval(row: Mapping[str, Any], sign: str) -> str:
    low, high = row["ci_low"], row["ci_high"]
    return "-" if low is None or high is None else f"{low:{sign}.4f} to {high:{sign}.4f}"
