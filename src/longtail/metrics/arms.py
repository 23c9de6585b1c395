"""Contrasts between arms: what the language model brings, and what text brings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from longtail.metrics.headlines import verdict
from longtail.metrics.leaderboard import BAND_STARTS, BANDS, Row

# What each pair of arms answers: the first arm against the second.
CONTRASTS: dict[tuple[str, str], str] = {
    ("language", "tfidf"): "language in place of TF-IDF",
    ("tfidf_and_language", "tfidf"): "language added to TF-IDF",
    ("tfidf_and_language", "no_text"): "text against none",
}
# What is shown of a contrast: label, metric, item group, user group.
GROUPS = (
    ("all", "ndcg", "all", "all"),
    ("tail items", "recall", "tail", "all"),
    ("cold items", "recall", "cold", "all"),
    ("1 to 4 interactions", "recall", "count_1_to_4", "all"),
    ("5 to 19 interactions", "recall", "count_5_to_19", "all"),
    ("20 or more interactions", "recall", "count_20_or_more", "all"),
    ("short texts", "recall", "short_text", "all"),
    ("unseen words", "recall", "unseen_words", "all"),
    ("texts in other scripts", "recall", "other_script", "all"),
    ("quiet users", "ndcg", "all", "quiet"),
    ("histories of 1 to 4 items", "ndcg", "all", "history_1_to_4"),
    ("histories of 5 to 19 items", "ndcg", "all", "history_5_to_19"),
    ("histories of 20 or more", "ndcg", "all", "history_20_or_more"),
)
# Of fewer users an interval says nothing.
FEWEST_USERS = 20
METRICS = ("ndcg", "recall", "ndcg_warm_only", "recall_warm_only")


def contrast_table(comparisons: Sequence[Row]) -> list[Row]:
    """Return the comparisons of the contrasts in NDCG and recall, each with a verdict in words.

    Args:
        comparisons: rows of ``compare_pairs`` over the pairs of ``CONTRASTS``.

    Returns:
        the rows with "contrast", the question, and "verdict": "higher", "lower" or "not different"
        by the Holm-adjusted p value.
    """
    return [
        {
            "contrast": CONTRASTS[str(row["model"]), str(row["baseline"])],
            **row,
            "verdict": verdict(row),
        }
        for row in comparisons
        if row["metric"] in METRICS
    ]


def count_groups(counts: NDArray[np.int64]) -> dict[str, NDArray[np.bool_]]:
    """Return masks of the items by their number of interactions before the test.

    Args:
        counts: (n_items,) interactions before the test.

    Returns:
        bool (n_items,) each; items without an interaction are the cold items.
    """
    bands = np.digitize(counts, BAND_STARTS)
    return {f"count_{band}": bands == place for place, band in enumerate(BANDS, start=1)}


def advice(contrasts: Sequence[Row], k: int, seconds_per_thousand: float | None = None) -> str:
    """Return what the language model brings on this data set, and whether TF-IDF would do.

    Args:
        contrasts: rows of ``contrast_table``.
        k: list length.
        seconds_per_thousand: seconds that encoding a thousand texts took; None if unknown.
    """
    first = next(iter(CONTRASTS.values()))
    shown = [(label, row) for label, row in shown_rows(contrasts, k) if row["contrast"] == first]
    if not shown:
        return ""
    better, worse = (
        ", ".join(label for label, row in shown if row["verdict"] == kind)
        for kind in ("higher", "lower")
    )
    tfidf = "TF-IDF vectors that are adapted and tuned in the same way"
    if better and worse:
        said = f"Against {tfidf}, the language model is better for {better} and worse for {worse}."
    elif better:
        said = f"Use the language model: against {tfidf}, it is better for {better}."
    elif worse:
        said = f"Use TF-IDF: {tfidf} are better for {worse}."
    else:
        said = f"TF-IDF would do: {tfidf} are not different from the language model in any group."
    if seconds_per_thousand is None:
        return said
    return f"{said} Encoding takes {seconds_per_thousand:.1f} seconds per thousand new texts."


def contrasts_in_words(contrasts: Sequence[Row], k: int) -> list[str]:
    """Return one sentence for each contrast: for which groups the first arm is higher or lower.

    Args:
        contrasts: rows of ``contrast_table``.
        k: list length.
    """
    sentences = []
    for contrast in CONTRASTS.values():
        said = []
        for verdict_in_words in ("higher", "lower", "not different"):
            groups = [
                f"{label} (x{float(row['ratio']):.2f})" if row["ratio"] is not None else label
                for label, row in shown_rows(contrasts, k)
                if (row["contrast"], row["verdict"]) == (contrast, verdict_in_words)
            ]
            said += [f"{verdict_in_words} for {', '.join(groups)}"] if groups else []
        if said:
            sentences.append(f"{contrast[0].upper()}{contrast[1:]}: {'; '.join(said)}.")
    return sentences


def shown_rows(contrasts: Sequence[Row], k: int) -> list[tuple[str, Row]]:
    """Return the label and the row of what is shown of each contrast, contrast by contrast.

    Groups of fewer than ``FEWEST_USERS`` users are not shown.

    Args:
        contrasts: rows of ``contrast_table``.
        k: list length.
    """
    return [
        (label, row)
        for contrast in CONTRASTS.values()
        for label, metric, item_group, user_group in GROUPS
        for row in contrasts
        if int(row["n_users"] or 0) >= FEWEST_USERS
        and (row["contrast"], row["metric"], row["k"]) == (contrast, metric, k)
        and (row["item_group"], row["user_group"]) == (item_group, user_group)
    ]
