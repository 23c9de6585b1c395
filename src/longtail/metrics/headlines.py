"""The hybrid against its strongest rivals, with the verdict in words."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from longtail.metrics.leaderboard import HYBRID, Row

SIGNIFICANCE = 0.05
# What is compared: label, metric, item group.
MEASURES = (
    ("overall", "ndcg", "all"),
    ("tail items", "recall", "tail"),
    ("head items", "recall", "head"),
)
WITHOUT_TEXT, WITH_TEXT = "best without text", "best with text"


def headlines(
    comparisons: Sequence[Row], k: int, baseline: str, reads_text: Collection[str]
) -> list[Row]:
    """Return the hybrid against the baseline, the best model without text and the best with text.

    The best is chosen for each measure by its value on the test data: the hybrid, which is chosen
    on validation, stands beside the strongest rival that there is.

    Args:
        comparisons: rows of ``compare_models``.
        k: list length.
        baseline: the model that all are compared with.
        reads_text: the models that read the catalogue.

    Returns:
        rows of the comparisons with "against" (the kind of rival), "measure" and "verdict"; a kind
        without a model is left out.
    """
    rows: list[Row] = []
    for label, metric, item_group in MEASURES:
        rivals = [
            row
            for row in comparisons
            if (row["model"], row["metric"], row["k"]) == (HYBRID, metric, k)
            and (row["item_group"], row["user_group"]) == (item_group, "all")
        ]
        kinds = {
            "baseline": [row for row in rivals if row["baseline"] == baseline],
            WITHOUT_TEXT: [row for row in rivals if row["baseline"] not in reads_text],
            WITH_TEXT: [row for row in rivals if row["baseline"] in reads_text],
        }
        rows += [
            {"against": kind, "measure": label, **strongest, "verdict": verdict(strongest)}
            for kind, found in kinds.items()
            if found
            for strongest in [max(found, key=_baseline_value)]
        ]
    order = ["baseline", WITHOUT_TEXT, WITH_TEXT]
    return sorted(rows, key=lambda row: order.index(str(row["against"])))


def verdict(row: Row) -> str:
    """Say by the Holm-adjusted p value whether a value is higher, lower or not different."""
    p_value, difference = row["p_holm"], row["difference"]
    if p_value is None or difference is None or float(p_value) >= SIGNIFICANCE:
        return "not different"
    return "higher" if float(difference) > 0 else "lower"


def in_words(headlines: Sequence[Row], k: int, confidence: float) -> list[str]:
    """Return one sentence for each rival: ratios, intervals and verdicts."""
    kinds = dict.fromkeys(str(row["against"]) for row in headlines)
    return [
        f"The hybrid against the {kind}: "
        + "; ".join(
            f"{row['measure']} {_change(row, confidence)}"
            for row in headlines
            if row["against"] == kind
        )
        + f" (K = {k})."
        for kind in kinds
    ]


def _change(row: Row, confidence: float) -> str:
    named = f"{row['verdict']} than" if row["verdict"] != "not different" else "not different from"
    ratio, low, high = row["ratio"], row["ratio_ci_low"], row["ratio_ci_high"]
    if ratio is None or low is None or high is None:
        return f"{named} {row['baseline']}"
    interval = f"{100 * confidence:g} % interval {float(low):.2f} to {float(high):.2f}"
    return f"{named} {row['baseline']}, x{float(ratio):.2f} ({interval})"


def _baseline_value(row: Row) -> float:
    return float(row["baseline_value"] or 0.0)
