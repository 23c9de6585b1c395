"""Leaderboard, costs and cold-start results as tables for the terminal."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from longtail.metrics.arms import shown_rows
from longtail.metrics.leaderboard import TRIALS
from longtail.reporting.formats import METRIC_NAMES, ratio

Rows = Sequence[dict[str, Any]]

_UNBOUNDED = 1000
COSTS = (("fit_seconds", 1, 1), ("milliseconds_per_user", 1, 2), ("model_bytes", 1e6, 2))


class _Column(NamedTuple):
    header: str
    metric: str
    item_group: str = "all"
    user_group: str = "all"


def leaderboard_table(leaderboard: Rows, k: int, baseline: str) -> Table:
    """Return the main metrics, one row per model: best in bold, ratios to the baseline below.

    The last column says how many settings the tuning tried, where there was one.

    Args:
        leaderboard: rows of the leaderboard.
        k: list length.
        baseline: the model that the ratios refer to.
    """
    models = list(dict.fromkeys(row["model"] for row in leaderboard))
    columns = _columns(leaderboard, k)
    table = Table(
        title=f"Ranking quality at K = {k} (x: ratio to {baseline}; best in bold)",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        padding=0,
    )
    table.add_column("model", no_wrap=True)
    values = [_values(leaderboard, column, k) for column in columns]
    for column in columns:
        table.add_column(column.header, justify="right", no_wrap=True)
    trials = {row["model"]: f"{row['value']:.0f}" for row in leaderboard if row["metric"] == TRIALS}
    if trials:
        table.add_column("trials", justify="right", no_wrap=True)
    for model in models:
        cells = [_cell(by_model, model, baseline) for by_model in values]
        table.add_row(model, *cells, *([trials.get(model, "-")] if trials else []))
    return table


def print_leaderboard(
    leaderboard: Rows, headlines: Rows, k: int, baseline: str, relevance: str = ""
) -> None:
    """Print the leaderboard, and below it the hybrid against its strongest rivals.

    Args:
        leaderboard: rows of the leaderboard.
        headlines: rows of the headlines.
        k: list length.
        baseline: the model that the ratios of the leaderboard refer to.
        relevance: the sentence on what counts as relevant, "" for every positive event.
    """
    table = leaderboard_table(leaderboard, k, baseline)
    table.caption = relevance or None
    print_table(table)
    rows = [
        (str(row["against"]), f"{METRIC_NAMES[row['metric']]}, {row['measure']}", row)
        for row in headlines
    ]
    if rows:
        print_table(
            _verdicts(f"The hybrid at K = {k}", ("against the", "metric"), rows, rival=True)
        )


def print_arms(leaderboard: Rows, contrasts: Rows, advice: str, k: int) -> None:
    """Print the arms, below them each contrast with its interval and the verdict, and the advice.

    Args:
        leaderboard: rows of the arms' leaderboard.
        contrasts: rows of the contrasts.
        advice: whether to use the language model; may be empty.
        k: list length.
    """
    print_table(leaderboard_table(leaderboard, k, "no_text"))
    rows = [
        (str(row["contrast"]), f"{METRIC_NAMES[str(row['metric'])]}, {label}", row)
        for label, row in shown_rows(list(contrasts), k)
    ]
    title = f"What text and the language model bring at K = {k}"
    table = _verdicts(title, ("contrast", "metric"), rows)
    table.caption = advice or None
    print_table(table)


def _verdicts(
    title: str,
    headers: tuple[str, str],
    rows: Sequence[tuple[str, str, Mapping[str, Any]]],
    rival: bool = False,
) -> Table:
    """Return comparisons with ratio, interval and verdict; a repeated first cell stays empty."""
    table = Table(title=title, box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1))
    for header in (*headers, *(["rival"] if rival else []), "ratio", "interval", "verdict"):
        table.add_column(header, no_wrap=True)
    before = ""
    for first, second, row in rows:
        table.add_row(
            "" if first == before else first,
            second,
            *([str(row["baseline"])] if rival else []),
            ratio(row["ratio"]),
            f"{ratio(row['ratio_ci_low'])} to {ratio(row['ratio_ci_high'])}",
            str(row["verdict"]),
        )
        before = first
    return table


def print_costs(leaderboard: Rows, costs: Mapping[str, Mapping[str, float]], k: int) -> None:
    """Print quality and costs, one row per model.

    Args:
        leaderboard: rows of the leaderboard.
        costs: fit_seconds, milliseconds_per_user and model_bytes of each model; any may be missing.
        k: list length.
    """
    quality = [_Column(f"NDCG@{k}", "ndcg"), _Column(f"tail Recall@{k}", "recall", "tail")]
    values = [_values(leaderboard, column, k) for column in quality]
    table = Table(title="Quality and cost of the models", box=box.SIMPLE_HEAD, show_edge=False)
    table.add_column("model", no_wrap=True)
    for header in (*(column.header for column in quality), "seconds to fit", "ms per user", "MB"):
        table.add_column(header, justify="right")
    for model in dict.fromkeys(row["model"] for row in leaderboard):
        spent = costs.get(model, {})
        table.add_row(
            model,
            *(f"{found[model]:.4f}" if model in found else "-" for found in values),
            *(
                f"{spent[cost] / unit:.{digits}f}" if cost in spent else "-"
                for cost, unit, digits in COSTS
            ),
        )
    print_table(table)


def print_candidate_pools(rows: Rows, k: int) -> None:
    """Print NDCG among new, warm and all items, one row per model."""
    pools = list(dict.fromkeys(row["candidates"] for row in rows))
    table = Table(
        title=f"NDCG@{k} by candidate pool",
        box=box.SIMPLE_HEAD,
        show_edge=False,
    )
    for header in ("model", *pools):
        table.add_column(header, justify="left" if header == "model" else "right")
    shown = [row for row in rows if (row["metric"], row["k"]) == ("ndcg", k)]
    values = {(row["model"], row["candidates"]): f"{row['value']:.4f}" for row in shown}
    for model in dict.fromkeys(row["model"] for row in rows):
        table.add_row(model, *(values.get((model, pool), "-") for pool in pools))
    if rows:
        print_table(table)


def print_folding_in(rows: Rows, k: int) -> None:
    """Print NDCG of new users by history length, one row per model."""
    lengths = sorted({row["n_folded_in"] for row in rows})
    table = Table(
        title=f"NDCG@{k} of new users by history length",
        box=box.SIMPLE_HEAD,
        show_edge=False,
    )
    for header in ("model", *map(str, lengths)):
        table.add_column(header, justify="left" if header == "model" else "right")
    wanted = ("ndcg", k, "all")
    values = {
        (row["model"], row["n_folded_in"]): f"{row['value']:.4f}"
        for row in rows
        if (row["metric"], row["k"], row["item_group"]) == wanted
    }
    for model in dict.fromkeys(row["model"] for row in rows):
        table.add_row(model, *(values.get((model, length), "-") for length in lengths))
    if rows:
        print_table(table)


def print_rows(title: str, rows: Rows) -> None:
    """Print rows as a table, numbers with four significant digits; nothing if there are no rows."""
    if not rows:
        return
    table = Table(title=title, box=box.SIMPLE_HEAD, show_edge=False)
    for name, value in rows[0].items():
        table.add_column(name, justify="left" if isinstance(value, str) else "right")
    for row in rows:
        table.add_row(
            *(f"{value:.4g}" if isinstance(value, float) else str(value) for value in row.values())
        )
    print_table(table)


def print_table(table: Table) -> None:
    """Print a table without truncating its cells, even if it is wider than the terminal."""
    console = Console()
    needed = Measurement.get(console, console.options.update(max_width=_UNBOUNDED), table).maximum
    if needed > console.width:
        console = Console(width=needed)
    console.print(table)


def _columns(leaderboard: Rows, k: int) -> list[_Column]:
    has_cold = any(
        row["item_group"] == "cold" and row["user_group"] == "all" for row in leaderboard
    )
    columns = []
    for metric, label in (("ndcg", "NDCG"), ("recall", "Recall")):
        columns.append(_Column(f"{label}@{k}\noverall", metric))
        columns += [_Column(f"\n{group}", metric, group) for group in ("head", "tail")]
        if has_cold:
            columns.append(_Column("\ncold", metric, "cold"))
        columns.append(_Column("quiet\nusers", metric, "all", "quiet"))
    return [*columns, _Column("catalog\ncoverage", "catalog_coverage")]


def _values(leaderboard: Rows, column: _Column, k: int) -> dict[str, float]:
    wanted = (column.metric, k, column.item_group, column.user_group)
    return {
        row["model"]: row["value"]
        for row in leaderboard
        if (row["metric"], row["k"], row["item_group"], row["user_group"]) == wanted
    }


def _cell(by_model: dict[str, float], model: str, baseline: str) -> Text:
    if model not in by_model:
        return Text("-")
    value = by_model[model]
    best = "bold" if value == max(by_model.values()) else ""
    cell = Text(f"{value:.4f}", style=best)
    reference = by_model.get(baseline)
    if reference and model != baseline:
        cell.append(f"\nx{value / reference:.2f}", style="dim not bold")
    return cell
