"""Comparison of models: values with intervals, and differences to the baseline."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from longtail.metrics.calibration import TASTE_GROUPS
from longtail.metrics.scoring import (
    ALL,
    Cell,
    ModelScores,
    taste_group_masks,
    user_group_masks,
)
from longtail.metrics.significance import (
    bootstrap_means,
    effect_size,
    holm,
    percentile_interval,
    sign_flip_p_values,
)
from longtail.metrics.tables import NEW, USER_GROUPS, GroundTruth

Row = dict[str, str | int | float | None]

HYBRID = "hybrid"
# The metric that says how many settings the tuning of a model tried; it has no list length.
TRIALS = "trials"

# Bands of interactions, of items and of users, and where each begins.
BANDS = ("1_to_4", "5_to_19", "20_or_more")
BAND_STARTS = (1, 5, 20)
HISTORY_GROUPS = tuple(f"history_{band}" for band in BANDS)


@dataclass(frozen=True)
class Resampling:
    """Draws and seed of bootstrap and permutations, and the confidence of the intervals."""

    draws: int
    seed: int
    confidence: float


class _Population(NamedTuple):
    """Users who are resampled together, and the user groups reported for them.

    The first group is all of these users; the other groups are labelled from 0. A group without a
    name is not reported.
    """

    users: np.ndarray
    labels: np.ndarray
    group_names: tuple[str | None, ...]

    def reported(self) -> list[tuple[int, str, np.ndarray]]:
        """Return place, name and mask over ``users`` of each reported group."""
        all_users = np.ones(len(self.users), dtype=bool)
        masks = [all_users, *(self.labels == code for code in range(len(self.group_names) - 1))]
        named = enumerate(zip(self.group_names, masks, strict=True))
        return [(place, name, mask) for place, (name, mask) in named if name is not None]

    @property
    def n_labels(self) -> int:
        """Number of labelled groups, at least one."""
        return max(1, len(self.group_names) - 1)


def compare_models(
    scores: dict[str, ModelScores],
    truth: GroundTruth,
    baseline: str,
    resampling: Resampling,
    trials: Mapping[str, int] | None = None,
) -> tuple[list[Row], list[Row]]:
    """Return the leaderboard, and comparisons: all with the baseline, the hybrid with all.

    Models are resampled together, so intervals of differences and ratios are paired. p values are
    Holm-adjusted over the comparisons with the baseline, and apart from them over those of the
    hybrid with the other models, for each metric, k, item group and user group. Rows without any
    user with a value are left out; without scores of the baseline nothing is compared with it.

    Args:
        scores: metrics by name of the model.
        truth: the encoded ground truth.
        baseline: the model that the others are compared with.
        resampling: draws, seed and confidence.
        trials: settings that tuning tried, by name of the model.

    Returns:
        leaderboard rows {model, metric, k, item_group, user_group, value, ci_low, ci_high,
        n_users} (k is None for the metric trials) and comparison rows {model, baseline, metric, k,
        item_group, user_group, baseline_value, value, difference, difference_ci_low,
        difference_ci_high, ratio, ratio_ci_low, ratio_ci_high, effect_size, p_value, p_holm,
        n_users}; plain numbers, None where undefined.
    """
    against_baseline = [(m, baseline) for m in scores if m != baseline and baseline in scores]
    of_hybrid = [(HYBRID, m) for m in scores if m not in (HYBRID, baseline) and HYBRID in scores]
    families = [against_baseline, of_hybrid if baseline != HYBRID else []]
    leaderboard, comparisons = compare_pairs(scores, truth, families, resampling)
    trial_rows = _trial_rows(trials or {}, scores, truth)
    return _in_order(leaderboard + trial_rows, list(scores)), comparisons


def compare_pairs(
    scores: dict[str, ModelScores],
    truth: GroundTruth,
    families: Sequence[Sequence[tuple[str, str]]],
    resampling: Resampling,
    by_history_length: bool = False,
) -> tuple[list[Row], list[Row]]:
    """Return the leaderboard, and the comparison of the two models of each pair.

    p values are Holm-adjusted over the pairs of a family. Rows are those of ``compare_models``.

    Args:
        scores: metrics by name of the model.
        truth: the encoded ground truth.
        families: pairs of names: a model, and the "baseline" that it is compared with.
        resampling: draws, seed and confidence.
        by_history_length: whether users are also grouped by ``HISTORY_GROUPS``.
    """
    leaderboard = _population_rows(scores, truth)
    comparisons: list[Row] = []
    for population in _populations(truth, by_history_length):
        values, means = _estimate(scores, population, resampling)
        leaderboard += values
        if any(families):
            comparisons += _compare(scores, families, means, population, resampling)
    return _in_order(leaderboard, list(scores)), _in_order(comparisons, list(scores))


def drop_small_groups(rows: list[Row], min_users: int) -> list[Row]:
    """Drop rows whose value comes from fewer users than allowed, to protect individual users.

    Args:
        rows: leaderboard or comparison rows.
        min_users: smallest number of users to report.
    """
    return [row for row in rows if int(row["n_users"] or 0) >= min_users]


def _populations(truth: GroundTruth, by_history_length: bool) -> list[_Population]:
    with_history = np.flatnonzero(truth.has_history)
    new = np.flatnonzero(~truth.has_history)
    labels = truth.user_group[with_history].astype(np.int64)
    populations = [
        _Population(with_history, labels, (ALL, *USER_GROUPS[:NEW])),
        _Population(new, np.zeros(len(new), np.int64), (USER_GROUPS[NEW],)),
    ]
    if by_history_length:
        lengths = truth.history_by_group.sum(axis=1)[with_history]
        bands = np.digitize(lengths, BAND_STARTS[1:])
        populations.append(_Population(with_history, bands, (None, *HISTORY_GROUPS)))
    return [population for population in populations if len(population.users)]


def _estimate(
    scores: dict[str, ModelScores], population: _Population, resampling: Resampling
) -> tuple[list[Row], np.ndarray]:
    """Return leaderboard rows, and bootstrap means as float32 (groups, models, cells, draws)."""
    first = next(iter(scores.values()))
    cells = [*first.ranking, *first.list_means]
    columns = [_columns(model, cells, population.users) for model in scores.values()]
    draws = bootstrap_means(
        np.concatenate([matrix.astype(np.float32) for matrix in columns], axis=1),
        population.labels,
        population.n_labels,
        resampling.draws,
        resampling.seed,
    )[: len(population.group_names)]
    draws = draws.reshape(len(draws), len(scores), len(cells), resampling.draws)
    low, high = percentile_interval(draws, resampling.confidence)
    rows: list[Row] = []
    for place, (model, matrix) in enumerate(zip(scores, columns, strict=True)):
        for group, name, members in population.reported():
            means, support = _means(matrix[members])
            for column in np.flatnonzero(support):
                cell, enough = cells[column], support[column] > 1
                rows.append(
                    _key(model, cell, name)
                    | {
                        "value": float(means[column]),
                        "ci_low": _number(low[group, place, column]) if enough else None,
                        "ci_high": _number(high[group, place, column]) if enough else None,
                        "n_users": int(support[column]),
                    }
                )
    return rows, draws[:, :, : len(first.ranking)]


def _compare(
    scores: dict[str, ModelScores],
    families: Sequence[Sequence[tuple[str, str]]],
    draws: np.ndarray,
    population: _Population,
    resampling: Resampling,
) -> list[Row]:
    pairs = [pair for family in families for pair in family]
    cells = list(scores[pairs[0][0]].ranking)
    named = {name for pair in pairs for name in pair}
    columns = {name: _columns(scores[name], cells, population.users) for name in named}
    differences = [columns[model] - columns[other] for model, other in pairs]
    p_values = _p_values(differences, population, resampling)
    ends = np.cumsum([len(family) for family in families])
    p_holm = np.concatenate([holm(part) for part in np.split(p_values, ends[:-1])])
    places = {name: place for place, name in enumerate(scores)}
    rows: list[Row] = []
    for place, (model, other) in enumerate(pairs):
        model_draws, other_draws = draws[:, places[model]], draws[:, places[other]]
        difference = percentile_interval(model_draws - other_draws, resampling.confidence)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = percentile_interval(model_draws / other_draws, resampling.confidence)
        for group, name, members in population.reported():
            means, support = _means(columns[model][members])
            base_means, _ = _means(columns[other][members])
            effects = effect_size(differences[place][members])
            for column in np.flatnonzero(support):
                value, base = float(means[column]), float(base_means[column])
                at = (group, column)
                rows.append(
                    _key(model, cells[column], name)
                    | {
                        "baseline": other,
                        "baseline_value": base,
                        "value": value,
                        "difference": value - base,
                        "difference_ci_low": _number(difference[0][at]),
                        "difference_ci_high": _number(difference[1][at]),
                        "ratio": value / base if base else None,
                        "ratio_ci_low": _number(ratio[0][at]) if base else None,
                        "ratio_ci_high": _number(ratio[1][at]) if base else None,
                        "effect_size": _number(effects[column]),
                        "p_value": _number(p_values[place][at]),
                        "p_holm": _number(p_holm[place][at]),
                        "n_users": int(support[column]),
                    }
                )
    return rows


def _p_values(
    differences: Sequence[np.ndarray], population: _Population, resampling: Resampling
) -> np.ndarray:
    """Return the p values of all pairs, float64 (pairs, groups, cells)."""
    stacked = np.concatenate(differences, axis=1)
    p_values = sign_flip_p_values(
        stacked, population.labels, population.n_labels, resampling.draws, resampling.seed
    )[: len(population.group_names)]
    return p_values.reshape(len(p_values), len(differences), -1).swapaxes(0, 1)


def _population_rows(scores: dict[str, ModelScores], truth: GroundTruth) -> list[Row]:
    masks = user_group_masks(truth) | taste_group_masks(truth)
    sizes = {name: int(mask.sum()) for name, mask in masks.items()}
    return [
        _key(model, cell, user_group)
        | {"value": value, "ci_low": None, "ci_high": None, "n_users": sizes[user_group]}
        for model, model_scores in scores.items()
        for cell, by_group in model_scores.population.items()
        for user_group, value in by_group.items()
        if np.isfinite(value)
    ]


def _trial_rows(
    trials: Mapping[str, int], scores: dict[str, ModelScores], truth: GroundTruth
) -> list[Row]:
    """Return how many settings tuning tried for each model; n_users are those with a history."""
    n_users = int(truth.has_history.sum())
    where: Row = {"metric": TRIALS, "k": None, "item_group": ALL, "user_group": ALL}
    return [
        {"model": model}
        | where
        | {"value": float(trials[model]), "ci_low": None, "ci_high": None, "n_users": n_users}
        for model in scores
        if model in trials
    ]


def _columns(scores: ModelScores, cells: list[Cell], users: np.ndarray) -> np.ndarray:
    values = scores.ranking | scores.list_means
    return np.stack([values[cell][users] for cell in cells], axis=1)


def _means(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean and the number of the defined values of each column."""
    support = (~np.isnan(values)).sum(axis=0)
    total = np.nansum(values, axis=0)
    undefined = np.full(len(total), np.nan)
    return np.divide(total, support, out=undefined, where=support > 0), support


def _key(model: str, cell: Cell, user_group: str) -> Row:
    return {
        "model": model,
        "metric": cell.metric,
        "k": int(cell.k),
        "item_group": cell.item_group,
        "user_group": user_group,
    }


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _in_order(rows: list[Row], models: list[str]) -> list[Row]:
    """Sort rows by model, in the given order, then by user group; metrics keep their order."""
    groups = (ALL, *USER_GROUPS, *TASTE_GROUPS, *HISTORY_GROUPS)
    return sorted(
        rows,
        key=lambda row: (models.index(str(row["model"])), groups.index(str(row["user_group"]))),
    )
