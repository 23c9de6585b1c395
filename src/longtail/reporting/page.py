"""Evaluation and arms as self-contained HTML pages: no network, no other files."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
from jinja2 import Environment, FileSystemLoader, select_autoescape
from markupsafe import Markup, escape
from plotly.offline import get_plotlyjs

from longtail.metrics.arms import contrasts_in_words, shown_rows
from longtail.metrics.leaderboard import HYBRID, TRIALS
from longtail.reporting.examples import SEARCHED_HISTORY, Example, search_data
from longtail.reporting.formats import METRIC_NAMES, ratio
from longtail.reporting.glossary import (
    METRICS,
    TASTE_GROUPS,
    TERMS,
    metric_in_words,
    model_in_words,
)
from longtail.reporting.summary import Summary

Rows = Sequence[dict[str, Any]]


@dataclass(frozen=True)
class Column:
    """A column of the page's tables: a heading and the value it shows."""

    heading: str
    metric: str
    item_group: str = "all"
    user_group: str = "all"
    digits: int = 4
    higher_is_better: bool | None = True


def quality_columns(suffix: str = "", cold: bool = True) -> list[Column]:
    """Return the columns of ranking quality; a suffix selects a variant of the metrics."""
    columns = [
        Column("NDCG", f"ndcg{suffix}"),
        Column("Recall", f"recall{suffix}"),
        Column("Recall, head", f"recall{suffix}", "head"),
        Column("Recall, tail", f"recall{suffix}", "tail"),
    ]
    if cold:
        columns.append(Column("Recall, cold", f"recall{suffix}", "cold"))
    columns.append(Column("NDCG, quiet users", f"ndcg{suffix}", "all", "quiet"))
    tried = Column("Trials", TRIALS, digits=0, higher_is_better=None)
    return columns if suffix else [*columns, tried]


EXPOSURE_COLUMNS = [
    Column("Coverage", "catalog_coverage", digits=3),
    Column("Tail coverage", "tail_coverage", digits=3),
    Column("Gini", "gini", digits=3, higher_is_better=False),
    Column("Tail in lists", "aplt", digits=3),
    Column("Mean popularity", "arp", digits=0, higher_is_better=None),
    Column("Novelty, bits", "novelty", digits=2),
    Column("Diversity", "intra_list_diversity", digits=3),
    Column("Serendipity", "serendipity"),
    Column("Unbiased recall", "unbiased_recall"),
]

TASTE_COLUMNS = [
    Column("ΔGAP, niche", "delta_gap", "all", "niche", 2, None),
    Column("ΔGAP, diverse", "delta_gap", "all", "diverse", 2, None),
    Column("ΔGAP, blockbuster", "delta_gap", "all", "blockbuster", 2, None),
    Column("UPD", "upd", digits=3, higher_is_better=False),
    Column("PopREO", "pop_reo", digits=3, higher_is_better=False),
    Column("PopRSP", "pop_rsp", digits=3, higher_is_better=False),
]


@dataclass(frozen=True)
class Lists:
    """Lists of single users.

    Attributes:
        examples: example lists of a few users.
        searchable: a sample of users to search in.
        n_users: number of evaluated users that the sample is drawn from.
        withheld: whether lists of single users are left out, to protect individual users.
    """

    examples: Sequence[Example] = ()
    searchable: Sequence[Example] = ()
    n_users: int = 0
    withheld: bool = False


def evaluation_page(
    summary: Summary,
    leaderboard: Rows,
    comparisons: Rows,
    headlines: Sequence[str],
    figures: Mapping[str, go.Figure],
    gate: Mapping[str, Any],
    lists: Lists,
    warnings: Sequence[str],
    understood: Rows,
    k: int,
    baseline: str,
    confidence: float,
) -> str:
    """Render the page.

    Args:
        summary: what the first screen says.
        leaderboard: rows of the leaderboard.
        comparisons: rows of the comparisons with the baseline.
        headlines: sentences on the hybrid and its strongest rivals.
        figures: figures by name.
        gate: the saved gate with its Pareto front.
        lists: lists of single users.
        warnings: sentences about the data that change how the numbers are to be read.
        understood: findings of the cleaning on how both files were read.
        k: list length of the tables.
        baseline: the model that all others are compared with.
        confidence: coverage of the intervals.
    """
    has_cold = any(row["item_group"] == "cold" for row in leaderboard)
    order = model_order(leaderboard, k)
    return _render(
        "evaluation_report.html",
        figures,
        summary=summary,
        quality=table(leaderboard, quality_columns(cold=has_cold), k),
        warm_quality=table(leaderboard, quality_columns("_warm_only", cold=False), k),
        exposure=table(leaderboard, EXPOSURE_COLUMNS, k),
        taste=table(leaderboard, TASTE_COLUMNS, k),
        significance=significance(comparisons, k, order),
        front=front_rows(gate),
        lists=lists,
        searched=script_json(search_data(lists.searchable)) if lists.searchable else "",
        searched_history=SEARCHED_HISTORY,
        headlines=headlines,
        warnings=warnings,
        understood=understood,
        glossary=glossary(order),
        k=k,
        baseline=baseline,
        confidence=f"{100 * confidence:g} %",
        n_users=max((r["n_users"] for r in leaderboard if r["user_group"] == "all"), default=0),
    )


def front_rows(gate: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return each tail emphasis of the gate's front with what it reaches on validation.

    Returns:
        tail_emphasis, ndcg, recall_tail, recall_head, coverage and chosen of each.
    """
    names = ("tail_emphasis", "ndcg", "recall_tail", "recall_head", "coverage")
    return [
        {name: point[name] for name in names}
        | {"chosen": point["tail_emphasis"] == gate["tail_emphasis"]}
        for point in gate.get("front", [])
    ]


def glossary(models: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return heading and meaning of all terms, metrics and the given models, by kind."""
    columns = [*quality_columns(), *EXPOSURE_COLUMNS, *TASTE_COLUMNS]
    headings = {column.metric: column.heading.split(",")[0] for column in reversed(columns)}
    return {
        "Terms": TERMS,
        "Metrics": {headings[name]: meaning for name, meaning in METRICS.items()},
        "Groups of users by taste": TASTE_GROUPS,
        "Models": {model: text for model in models if (text := model_in_words(model))},
    }


def arms_page(
    leaderboard: Rows,
    contrasts: Rows,
    advice: str,
    figures: Mapping[str, go.Figure],
    k: int,
    confidence: float,
) -> str:
    """Render the page on what text and the language model bring.

    Args:
        leaderboard: rows of the leaderboard of the arms.
        contrasts: rows of the contrasts.
        advice: whether to use the language model; may be empty.
        figures: figures by name.
        k: list length of the tables.
        confidence: coverage of the intervals.
    """
    has_cold = any(row["item_group"] == "cold" for row in leaderboard)
    return _render(
        "arms_report.html",
        figures,
        advice=advice,
        sentences=contrasts_in_words(contrasts, k),
        contrasts=[_contrast_cells(label, row) for label, row in shown_rows(contrasts, k)],
        quality=table(leaderboard, quality_columns(cold=has_cold), k),
        warm_quality=table(leaderboard, quality_columns("_warm_only", cold=False), k),
        k=k,
        confidence=f"{100 * confidence:g} %",
    )


def _contrast_cells(group: str, row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "contrast": row["contrast"],
        "group": group,
        "metric": METRIC_NAMES[row["metric"]],
        "value": f"{row['value']:.4f}",
        "other": f"{row['baseline_value']:.4f}",
        "ratio": ratio(row["ratio"]),
        "interval": _interval(row["ratio_ci_low"], row["ratio_ci_high"], 2),
        "p_holm": "-" if row["p_holm"] is None else f"{row['p_holm']:.4f}",
        "verdict": row["verdict"],
        "n_users": row["n_users"],
    }


def _render(template: str, figures: Mapping[str, go.Figure], **content: Any) -> str:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=select_autoescape(),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["model_in_words"] = model_in_words
    environment.filters["with_code"] = with_code
    return environment.get_template(template).render(
        plotly=Markup(get_plotlyjs()),
        figures={name: figure_json(untitled(figure)) for name, figure in figures.items()},
        captions={name: figure.layout.title.text or "" for name, figure in figures.items()},
        **content,
    )


def with_code(sentence: str) -> Markup:
    """Return a sentence as HTML in which code between backticks is marked as such."""
    parts = [escape(part) for part in sentence.split("`")]
    return Markup(
        "".join(f"<code>{part}</code>" if n % 2 else part for n, part in enumerate(parts))
    )


def untitled(figure: go.Figure) -> go.Figure:
    """Return a copy without the title, which the page writes above the figure: it wraps there."""
    copy = go.Figure(figure)
    return copy.update_layout(title=None, margin={"t": 30})


def figure_json(figure: go.Figure) -> Markup:
    """Return a figure as JSON that is safe inside a script element."""
    return Markup(figure.to_json().replace("<", "\\u003c"))


def script_json(value: Any) -> Markup:
    """Return plain values as JSON that is safe inside a script element."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c"))


def model_order(leaderboard: Rows, k: int) -> list[str]:
    """Return the models: the hybrid, then the others by overall NDCG, the best first."""
    ndcg = {
        model: float(row["value"])
        for model, row in _by_model(leaderboard, Column("NDCG", "ndcg"), k).items()
    }
    models = dict.fromkeys(row["model"] for row in leaderboard)
    return sorted(models, key=lambda model: (model != HYBRID, -ndcg.get(model, -1.0)))


def table(leaderboard: Rows, columns: Sequence[Column], k: int) -> dict[str, Any]:
    """Return headings with their number of users and meaning, and one row of cells per model.

    The hybrid comes first, then the other models by overall NDCG. A cell is {value, interval,
    best}, or None where the model has no value; ``best`` marks the best value of a column.
    """
    found = [_by_model(leaderboard, column, k) for column in columns]
    kept = [place for place, rows in enumerate(found) if rows]
    best = {place: _best(found[place], columns[place]) for place in kept}
    headings = [
        (columns[place].heading, max(row["n_users"] for row in found[place].values()))
        for place in kept
    ]
    meanings = [
        metric_in_words(columns[p].metric, columns[p].item_group, columns[p].user_group)
        for p in kept
    ]
    rows = [
        (model, [_cell(found[p].get(model), columns[p], best[p]) for p in kept])
        for model in model_order(leaderboard, k)
    ]
    return {"headings": headings, "meanings": meanings, "rows": rows}


def significance(comparisons: Rows, k: int, order: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Return the comparisons of overall NDCG and tail recall, formatted for the page.

    Args:
        comparisons: rows of the comparisons with the baseline.
        k: list length.
        order: of the models; those that it lacks come last.
    """
    places = {model: place for place, model in enumerate(order)}
    wanted = [("ndcg", "all"), ("recall", "tail")]
    labels = {("ndcg", "all"): f"NDCG@{k}", ("recall", "tail"): f"Tail Recall@{k}"}
    return [
        {
            "model": row["model"],
            "metric": labels[row["metric"], row["item_group"]],
            "difference": f"{row['difference']:+.4f}",
            "interval": _interval(row["difference_ci_low"], row["difference_ci_high"], 4),
            "ratio": ratio(row["ratio"]),
            "effect": "-" if row["effect_size"] is None else f"{row['effect_size']:+.2f}",
            "p_holm": "-" if row["p_holm"] is None else f"{row['p_holm']:.4f}",
            "n_users": row["n_users"],
        }
        for row in sorted(comparisons, key=lambda row: places.get(row["model"], len(places)))
        if row["k"] == k
        and row["user_group"] == "all"
        and (row["metric"], row["item_group"]) in wanted
    ]


def _by_model(leaderboard: Rows, column: Column, k: int) -> dict[str, dict[str, Any]]:
    length = None if column.metric == TRIALS else k
    wanted = (column.metric, length, column.item_group, column.user_group)
    return {
        row["model"]: row
        for row in leaderboard
        if (row["metric"], row["k"], row["item_group"], row["user_group"]) == wanted
    }


def _best(rows: Mapping[str, dict[str, Any]], column: Column) -> float | None:
    values: list[float] = [row["value"] for row in rows.values()]
    if column.higher_is_better is None:
        return None
    return max(values) if column.higher_is_better else min(values)


def _cell(row: dict[str, Any] | None, column: Column, best: float | None) -> dict[str, Any] | None:
    if row is None:
        return None
    return {
        "value": f"{row['value']:.{column.digits}f}",
        "interval": _interval(row["ci_low"], row["ci_high"], column.digits),
        "best": row["value"] == best,
    }


def _interval(low: float | None, high: float | None, digits: int) -> str:
    return "" if low is None or high is None else f"{low:.{digits}f} to {high:.{digits}f}"
