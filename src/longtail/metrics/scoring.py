"""All metrics of one model's recommendations, per user, per group and per item."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from longtail.metrics import calibration, classification, exposure, ranking
from longtail.metrics.calibration import TASTE_GROUPS
from longtail.metrics.ranking import RANKING_METRICS, Hits
from longtail.metrics.tables import ITEM_GROUPS, USER_GROUPS, GroundTruth, ranked_lists

ALL = "all"
WARM_ONLY = "_warm_only"
UNBIASED = "unbiased_recall"
WARM_GROUPS = (ALL, "head", "tail")


class Cell(NamedTuple):
    """One column of results: metric, list length, and item group of the relevant items."""

    metric: str
    k: int
    item_group: str


@dataclass(frozen=True)
class ModelScores:
    """The metrics of one model.

    Attributes:
        ranking: float64 (n_users,) per cell, NaN where the user has no relevant item.
        list_means: float64 (n_users,) per cell, for metrics of single lists; NaN for empty lists.
        population: one number per cell and user group, for metrics of all lists together.
        per_item: item_id, item_group, interaction_count, k, n_recommended, n_relevant, n_hits; over
            the evaluated users with a history.
    """

    ranking: dict[Cell, np.ndarray]
    list_means: dict[Cell, np.ndarray]
    population: dict[Cell, dict[str, float]]
    per_item: pd.DataFrame


def score_model(
    recommendations: pd.DataFrame,
    truth: GroundTruth,
    ks: Sequence[int],
    item_vectors: np.ndarray | None = None,
) -> ModelScores:
    """Compute every metric of one model.

    Args:
        recommendations: user_id, item_id, rank.
        truth: the encoded ground truth.
        ks: list lengths.
        item_vectors: float (n_items, d) in catalogue order, for intra-list diversity and
            serendipity, which are left out without them.

    Raises:
        UserError: if an item is not in the catalogue, or a list has an item or a rank twice.
    """
    lists = ranked_lists(recommendations, truth)
    hits = ranking.find_hits(lists, truth)
    return ModelScores(
        ranking=_ranking_cells(hits, lists, truth, ks),
        list_means=_list_mean_cells(hits, lists, truth, ks, item_vectors),
        population=_population_cells(hits, lists, truth, ks),
        per_item=_per_item(hits, lists, truth, ks),
    )


def per_user_table(scores: dict[str, ModelScores], truth: GroundTruth) -> pd.DataFrame:
    """Return the ranking metrics of every user, one row per model, k, item group and user.

    There is a row where the user has a relevant item in the group. The mean of a metric over the
    rows of a model, k and item group is the value in the leaderboard (for the user group ``all``,
    over the rows whose ``user_group`` is not ``new``). Columns with the suffix ``_warm_only`` are
    null where the user has no warm relevant item and for the item group ``cold``;
    ``unbiased_recall`` is null for item groups other than ``all``.
    """
    parts = [
        _per_user_part(model, model_scores, truth, k, group)
        for model, model_scores in scores.items()
        for k in sorted({cell.k for cell in model_scores.ranking})
        for group in (ALL, *ITEM_GROUPS)
    ]
    return pd.concat(parts, ignore_index=True)


def per_item_table(scores: dict[str, ModelScores]) -> pd.DataFrame:
    """Return exposure and hits of every item, one row per model, k and item."""
    return pd.concat(
        [model_scores.per_item.assign(model=model) for model, model_scores in scores.items()],
        ignore_index=True,
    )


def user_group_masks(truth: GroundTruth) -> dict[str, np.ndarray]:
    """Return the mask of each user group, bool (n_users,); ``all`` are users with a history."""
    groups = {name: truth.user_group == code for code, name in enumerate(USER_GROUPS)}
    return {ALL: truth.has_history, **groups}


def item_group_masks(truth: GroundTruth) -> dict[str, np.ndarray]:
    """Return the mask of each item group, bool (n_items,)."""
    groups = {name: truth.item_group == code for code, name in enumerate(ITEM_GROUPS)}
    return {ALL: np.ones(truth.n_items, dtype=bool), **groups, **truth.further_groups}


def taste_group_masks(truth: GroundTruth) -> dict[str, np.ndarray]:
    """Return the mask of each taste group, bool (n_users,)."""
    taste = calibration.taste_groups(truth)
    return {name: taste == code for code, name in enumerate(TASTE_GROUPS)}


def _ranking_cells(
    hits: Hits, lists: np.ndarray, truth: GroundTruth, ks: Sequence[int]
) -> dict[Cell, np.ndarray]:
    masks = item_group_masks(truth)
    warm = ranking.with_warm_candidates_only(hits, lists, truth)
    variants = [("", group, ranking.restrict(hits, mask, truth)) for group, mask in masks.items()]
    for group in WARM_GROUPS:
        restricted = ranking.restrict(warm, masks[group], truth)
        # The mask of all items contains cold items, which are not relevant here.
        n_relevant = warm.n_relevant if group == ALL else restricted.n_relevant
        warm_hits = Hits(restricted.user, restricted.position, restricted.item, n_relevant)
        variants.append((WARM_ONLY, group, warm_hits))
    cells = {
        Cell(name + suffix, k, group): metric(variant, k)
        for suffix, group, variant in variants
        for name, metric in RANKING_METRICS.items()
        for k in ks
    }
    unbiased = {Cell(UNBIASED, k, ALL): ranking.unbiased_recall(hits, k, truth) for k in ks}
    return cells | unbiased


def _list_mean_cells(
    hits: Hits,
    lists: np.ndarray,
    truth: GroundTruth,
    ks: Sequence[int],
    item_vectors: np.ndarray | None,
) -> dict[Cell, np.ndarray]:
    candidates = classification.candidate_lists(hits, lists)
    surprises = None
    if item_vectors is not None:
        surprises = exposure.surprise(hits, max(ks), truth, item_vectors)
    cells = {}
    for k in ks:
        top = lists[:, :k]
        cells[Cell("arp", k, ALL)] = exposure.arp(top, truth.interaction_count)
        cells[Cell("aplt", k, ALL)] = exposure.aplt(top, truth.item_group)
        cells[Cell("aclt", k, ALL)] = exposure.aclt(top, truth.item_group)
        cells[Cell("novelty", k, ALL)] = exposure.novelty(
            top, truth.interaction_count, truth.n_history_users
        )
        cells[Cell("miscalibration", k, ALL)] = calibration.miscalibration(top, truth)
        cells[Cell("accuracy", k, ALL)] = classification.accuracy(candidates, k)
        cells[Cell("auc", k, ALL)] = classification.auc(classification.candidate_lists(hits, top))
        cells[Cell("f1", k, ALL)] = classification.f1(candidates, k)
        if item_vectors is not None and surprises is not None:
            diversity = exposure.intra_list_diversity(top, item_vectors)
            cells[Cell("intra_list_diversity", k, ALL)] = diversity
            cells[Cell("serendipity", k, ALL)] = exposure.serendipity(hits, surprises, k, truth)
    return cells


def _population_cells(
    hits: Hits, lists: np.ndarray, truth: GroundTruth, ks: Sequence[int]
) -> dict[Cell, dict[str, float]]:
    groups = {name: mask for name, mask in user_group_masks(truth).items() if mask.any()}
    cells: dict[Cell, dict[str, float]] = {}
    for k in ks:
        for group, users in groups.items():
            for metric, value in _population_metrics(hits, lists[:, :k], k, users, truth).items():
                cells.setdefault(Cell(metric, k, ALL), {})[group] = value
        for cell, by_group in _calibration_cells(lists[:, :k], k, truth).items():
            cells.setdefault(cell, {}).update(by_group)
    return cells


def _calibration_cells(
    lists: np.ndarray, k: int, truth: GroundTruth
) -> dict[Cell, dict[str, float]]:
    taste = taste_group_masks(truth)
    groups = {ALL: truth.has_history} | {name: mask for name, mask in taste.items() if mask.any()}
    deviations = calibration.miscalibration(lists, truth)
    upd = calibration.upd(deviations, calibration.taste_groups(truth))
    return {
        Cell("gap", k, ALL): {g: calibration.gap(lists, m, truth) for g, m in groups.items()},
        Cell("delta_gap", k, ALL): {
            group: calibration.delta_gap(lists, mask, truth) for group, mask in groups.items()
        },
        Cell("upd", k, ALL): {ALL: upd},
    }


def _population_metrics(
    hits: Hits, lists: np.ndarray, k: int, users: np.ndarray, truth: GroundTruth
) -> dict[str, float]:
    counts = exposure.exposure_counts(lists[users], truth.n_items)
    return {
        "catalog_coverage": exposure.catalog_coverage(counts),
        "tail_coverage": exposure.tail_coverage(counts, truth.item_group),
        "gini": exposure.gini(counts),
        "entropy": exposure.entropy(counts),
        "pop_reo": exposure.pop_reo(hits, k, users, truth),
        "pop_rsp": exposure.pop_rsp(lists, users, truth),
    }


def _per_item(hits: Hits, lists: np.ndarray, truth: GroundTruth, ks: Sequence[int]) -> pd.DataFrame:
    users = truth.has_history
    relevant_items = truth.relevant_items[users[truth.relevant_users]]
    parts = []
    for k in ks:
        found = hits.item[users[hits.user] & (hits.position < k)]
        columns = {
            "item_id": truth.item_ids,
            "item_group": np.array(ITEM_GROUPS)[truth.item_group],
            "interaction_count": truth.interaction_count,
            "k": k,
            "n_recommended": exposure.exposure_counts(lists[users, :k], truth.n_items),
            "n_relevant": np.bincount(relevant_items, minlength=truth.n_items),
            "n_hits": np.bincount(found, minlength=truth.n_items),
        }
        parts.append(pd.DataFrame(columns))
    return pd.concat(parts, ignore_index=True)


def _per_user_part(
    model: str, scores: ModelScores, truth: GroundTruth, k: int, group: str
) -> pd.DataFrame:
    rows = np.flatnonzero(~np.isnan(scores.ranking[Cell("recall", k, group)]))
    names = [name + suffix for suffix in ("", WARM_ONLY) for name in RANKING_METRICS]
    names.append(UNBIASED)
    undefined = np.full(truth.n_users, np.nan)
    metrics = {name: scores.ranking.get(Cell(name, k, group), undefined)[rows] for name in names}
    return pd.DataFrame(
        {
            "model": model,
            "user_id": truth.user_ids[rows],
            "user_group": np.array(USER_GROUPS)[truth.user_group[rows]],
            "item_group": group,
            "k": k,
            **metrics,
        }
    )
