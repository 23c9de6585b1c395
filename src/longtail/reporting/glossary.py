"""What the names in the report mean: metrics, groups and models."""

from __future__ import annotations

import inspect

from longtail.recommenders.registry import MODELS

WARM_ONLY = "_warm_only"

METRICS = {
    "ndcg": "Quality of the order of a list: a hit counts more, the higher it stands. 1: all"
    " relevant items come first; 0: no hit.",
    "recall": "Share of a user's relevant items that are in the list.",
    "catalog_coverage": "Share of the catalogue that is in at least one list.",
    "tail_coverage": "Share of the tail items that are in at least one list.",
    "gini": "How unevenly the places of all lists are spread over the catalogue. 0: evenly; 1: all"
    " go to one item.",
    "aplt": "Share of tail items in a list.",
    "arp": "Mean number of interactions of the listed items before the test.",
    "novelty": "How rare the listed items are, in bits: one bit more is half as popular.",
    "intra_list_diversity": "How different the texts of a list's items are from each other."
    " 0: alike.",
    "serendipity": "Hits that are unlike the user's history, per place of the list.",
    "unbiased_recall": "Recall in which a rare item weighs more than a popular one.",
    "delta_gap": "How much more popular the lists of a group are than its histories. 0: equally"
    " popular; 1: twice as popular.",
    "upd": "Distance between the popularity of lists and of histories. 0: the same; 1: nothing in"
    " common.",
    "pop_reo": "Difference of head and tail in the chance that a relevant item is found. 0: none.",
    "pop_rsp": "Difference of head and tail in the chance to be listed. 0: none.",
    "trials": "Settings that the tuning tried, as many for each model with something to choose.",
}

ITEM_GROUPS = {
    "head": "Only head items count as relevant: the most popular fifth of the items with an"
    " interaction before the test.",
    "tail": "Only tail items count as relevant: items with an interaction before the test that are"
    " not head items.",
    "cold": "Only cold items count as relevant: items without an interaction before the test.",
}

TASTE_GROUPS = {
    "niche": "The fifth of the users with the smallest share of head items in the history.",
    "diverse": "Users who are neither niche nor blockbuster users.",
    "blockbuster": "The fifth of the users with the largest share of head items in the history.",
}

USER_GROUPS = TASTE_GROUPS | {
    "quiet": "Users with a history who are not among the fifth with the longest ones.",
}

TERMS = {
    "history": "A user's interactions before the test.",
    "relevant item": "An item that the user chose in the test period.",
    "head items": "The most popular fifth of the items with an interaction before the test.",
    "tail items": "The other items with an interaction before the test.",
    "cold items": "Items without an interaction before the test.",
    "quiet users": "Users with a history who are not among the fifth with the longest ones.",
    "baseline": "The model that all others are compared with.",
    "source": "A model whose scores are evidence for the hybrid.",
    "gate": "The linear ranker that weighs the evidence of the sources.",
    "tail emphasis": "Score that an item loses per log of its popularity.",
    "validation": "The interactions on which all choices are made; the test is touched once.",
    "interval": "Paired bootstrap over users.",
    "p (Holm)": "p value of a sign-flip permutation test, adjusted for the number of comparisons.",
    "higher, lower, not different": "The verdict: higher or lower where the adjusted p value is"
    " below 0.05. Not different does not mean equal.",
}

_HYBRID = "Joins the evidence of all sources with a gate learned on validation."


def metric_in_words(metric: str, item_group: str = "all", user_group: str = "all") -> str:
    """Return what a value of the leaderboard means, "" where the metric is not explained."""
    base = metric.removesuffix(WARM_ONLY)
    parts = [
        METRICS.get(base, ""),
        ITEM_GROUPS.get(item_group, ""),
        f"Users: {USER_GROUPS[user_group]}" if user_group in USER_GROUPS else "",
        "Without cold items." if metric != base else "",
    ]
    return " ".join(filter(None, parts))


def model_in_words(model: str) -> str:
    """Return what a model does in one sentence, "" for an unknown one."""
    if model == "hybrid":
        return _HYBRID
    described = inspect.getdoc(MODELS[model]) if model in MODELS else None
    return described.splitlines()[0].replace("`", "") if described else ""
