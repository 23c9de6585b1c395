"""Print the tables of docs/results.md from the newest runs of some environments, as Markdown.

    python benchmarks/results.py ENVIRONMENT [ENVIRONMENT ...]

Each environment names a data set, on which `kedro run` and `kedro run --pipelines=arms` have been
run. Columns are the environments.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from longtail.metrics.arms import shown_rows
from longtail.project import data_name, open_project
from longtail.runs.costs import costs_behind

Rows = Sequence[Mapping[str, Any]]
COSTS = (
    ("fit_seconds", 1, ".1f"),
    ("milliseconds_per_user", 1, ".2f"),
    ("model_bytes", 1e6, ".1f"),
)
CELL = " | "


def main() -> None:
    """Print one table after the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("environments", nargs="+")
    environments = parser.parse_args().environments
    results = [_read(env) for env in environments]
    for title, table in (
        ("Headlines", _headlines),
        ("All models: NDCG, tail Recall", _models),
        ("All models: head Recall, cold Recall, coverage", _reach),
        ("Arms", _arms),
        ("Costs: seconds of the fit, milliseconds a user, megabytes", _costs),
    ):
        columns = [table(result) for result in results]
        print(f"\n## {title}\n\n|{CELL}{CELL.join(result['name'] for result in results)} |")
        print(f"|---|{'---|' * len(results)}")
        for label in dict.fromkeys(label for column in columns for label in column):
            print(f"| {label}{CELL}{CELL.join(column.get(label, '') for column in columns)} |")


def _read(env: str) -> dict[str, Any]:
    """Return the newest leaderboard, headlines, contrasts (if there are any) and costs."""
    catalog, records = open_project(env)
    dataset: Any = catalog["leaderboard"]
    return {
        "name": data_name(env),
        "k": catalog.load("params:evaluation").primary_k,
        "leaderboard": catalog.load("leaderboard"),
        "headlines": catalog.load("headlines"),
        "contrasts": catalog.load("arms_contrasts") if catalog.exists("arms_contrasts") else [],
        "costs": costs_behind("leaderboard", dataset.resolve_load_version(), records),
    }


def _headlines(result: Mapping[str, Any]) -> dict[str, str]:
    return {
        f"{row['measure']}, against the {row['against']}": f"{row['baseline']} {_verdict(row)}"
        for row in result["headlines"]
    }


def _arms(result: Mapping[str, Any]) -> dict[str, str]:
    return {
        f"{row['contrast']}: {label}": _verdict(row)
        for label, row in shown_rows(result["contrasts"], result["k"])
    }


def _models(result: Mapping[str, Any]) -> dict[str, str]:
    return _cells(result, [_values(result, "ndcg"), _values(result, "recall", "tail")])


def _reach(result: Mapping[str, Any]) -> dict[str, str]:
    recall = [_values(result, "recall", group) for group in ("head", "cold")]
    return _cells(result, [*recall, _values(result, "catalog_coverage")])


def _cells(result: Mapping[str, Any], columns: Sequence[Mapping[str, float]]) -> dict[str, str]:
    """Return the values of each model, the model with the highest NDCG first."""
    ndcg = _values(result, "ndcg")
    return {
        model: ", ".join(_short(column.get(model)) for column in columns)
        for model in sorted(ndcg, key=lambda model: -ndcg[model])
    }


def _costs(result: Mapping[str, Any]) -> dict[str, str]:
    return {
        model: ", ".join(
            f"{costs[name] / unit:{digits}}" if name in costs else "-"
            for name, unit, digits in COSTS
        )
        for model, costs in result["costs"].items()
    }


def _values(result: Mapping[str, Any], metric: str, item_group: str = "all") -> dict[str, float]:
    return {
        row["model"]: row["value"]
        for row in result["leaderboard"]
        if (row["metric"], row["item_group"], row["user_group"], row["k"])
        == (metric, item_group, "all", result["k"])
    }


def _verdict(row: Mapping[str, Any]) -> str:
    """Return ratio, interval and verdict: "x1.04 [1.01, 1.07] higher"."""
    if row["ratio"] is None:
        return f"{_short(row['baseline_value'])} to {_short(row['value'])}, {row['verdict']}"
    interval = ""
    if row["ratio_ci_low"] is not None and row["ratio_ci_high"] is not None:
        interval = f" [{row['ratio_ci_low']:.2f}, {row['ratio_ci_high']:.2f}]"
    return f"x{row['ratio']:.2f}{interval} {row['verdict']}"


def _short(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}".removeprefix("0")


if __name__ == "__main__":
    main()
