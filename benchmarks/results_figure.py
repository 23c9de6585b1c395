"""Draw ALS, the best single model and the hybrid on some environments, as the SVG of the README.

    python benchmarks/results_figure.py ENVIRONMENT=LABEL [ENVIRONMENT=LABEL ...] > results.svg

Each environment names a data set on which `kedro run` has been run. The best single model is the
best of each chart and data set.
"""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from longtail.metrics.leaderboard import HYBRID
from longtail.project import open_catalog

CHARTS = (
    ("Recall@{k} on tail items", ("recall", "tail")),
    ("NDCG@{k} on all items", ("ndcg", "all")),
)
BARS = {
    "als": ("#a3adba", "{baseline}, tuned"),
    "best": ("#6366f1", "best single model of {n}"),
    "hybrid": ("#0f766e", "hybrid of collaborative and language evidence"),
}
LEFT, WIDTH, HEIGHT, BASE, GAP = 30, 340, 165, 248, 4


def main() -> None:
    """Print the figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("environments", nargs="+", metavar="ENVIRONMENT=LABEL")
    named = [pair.partition("=")[::2] for pair in parser.parse_args().environments]
    results = {label: open_catalog(env) for env, label in named}
    parameters = next(iter(results.values())).load("params:evaluation")
    boards = {label: catalog.load("leaderboard") for label, catalog in results.items()}
    models = {row["model"] for board in boards.values() for row in board}
    shapes = [legend(parameters.baseline, len(models) - 1)]
    for place, (title, cell) in enumerate(CHARTS):
        bars = {
            label: bars_of(board, cell, parameters.primary_k, parameters.baseline)
            for label, board in boards.items()
        }
        shapes.append(chart(title.format(k=parameters.primary_k), bars, LEFT + 370 * place))
    print(page("\n".join(shapes)))


def bars_of(
    board: list[Mapping[str, Any]], cell: tuple[str, str], k: int, baseline: str
) -> dict[str, float]:
    """Return the value of the baseline, of the best single model and of the hybrid."""
    values = {
        row["model"]: row["value"]
        for row in board
        if (row["metric"], row["item_group"], row["user_group"], row["k"]) == (*cell, "all", k)
    }
    best = max(value for model, value in values.items() if model != HYBRID)
    return dict(zip(BARS, (values[baseline], best, values[HYBRID]), strict=True))


def chart(title: str, bars: Mapping[str, Mapping[str, float]], left: float) -> str:
    """Return one chart: a group of bars for each data set."""
    group = WIDTH / len(bars)
    width = (group - 3 * GAP) / len(BARS)
    scale = HEIGHT / max(max(values.values()) for values in bars.values())
    shapes = [
        f'<text class="title" x="{left}" y="62">{title}</text>',
        f'<line x1="{left}" y1="{BASE}" x2="{left + WIDTH}" y2="{BASE}" stroke="#9ca3af"/>',
    ]
    for place, (label, values) in enumerate(bars.items()):
        start = left + place * group + GAP
        for number, (name, value) in enumerate(values.items()):
            x, height = start + number * width, value * scale
            middle, digits = x + (width - 1) / 2, f"{value:.4f}".removeprefix("0")
            shapes += [
                f'<rect class="{name}" x="{x:.1f}" y="{BASE - height:.1f}" width="{width - 1:.1f}"'
                f' height="{height:.1f}"/>',
                f'<text class="value" x="{middle:.1f}" y="{BASE - height - 4:.1f}">{digits}</text>',
            ]
        shapes.append(f'<text class="set" x="{start + group / 2:.1f}" y="268">{label}</text>')
    return "\n".join(shapes)


def legend(baseline: str, n_models: int) -> str:
    """Return the legend."""
    shapes, x = [], LEFT
    for name, (_, words) in BARS.items():
        text = words.format(baseline=baseline.upper(), n=n_models)
        shapes.append(
            f'<rect class="{name}" x="{x}" y="18" width="12" height="12"/>'
            f'<text x="{x + 18}" y="28">{text}</text>'
        )
        x += 40 + 6 * len(text)
    return "\n".join(shapes)


def page(shapes: str) -> str:
    """Return the whole figure."""
    colours = "\n".join(f".{name} {{ fill: {colour}; }}" for name, (colour, _) in BARS.items())
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 770 300" role="img" aria-labelledby="title">
<title id="title">The baseline, the best single model and the hybrid on test data</title>
<style>
text {{ font-family: Helvetica, Arial, sans-serif; fill: #1f2937; font-size: 12px; }}
.title {{ font-size: 14px; font-weight: bold; }}
.value {{ font-size: 8px; text-anchor: middle; }}
.set {{ text-anchor: middle; }}
{colours}
</style>
<rect width="770" height="300" rx="8" fill="#ffffff"/>
{shapes}
<text x="{LEFT}" y="290" fill="#6b7280">Held-out test data; all models: docs/results.md</text>
</svg>"""


if __name__ == "__main__":
    main()
