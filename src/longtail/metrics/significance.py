"""Significance over users: paired bootstrap, sign-flip permutation, effect size, Holm.

Users are the sampling units. All columns of a matrix are resampled together, so models are compared
on the same users in every draw. There are no rank-based tests (Wilcoxon, sign): on data as large as
recommender evaluations they reject true null hypotheses (Ihemelandu & Ekstrand, SIGIR 2023).

Bootstrap and permutations are not scipy's, which take one statistic of one group at a time: here
each block of draws is one matrix product for all models, metrics and groups.
"""

import itertools
from collections.abc import Iterator

import numpy as np

_BLOCK_BYTES = 96 * 2**20
_SPARSE_SHARE = 0.5


def bootstrap_means(
    values: np.ndarray, labels: np.ndarray, n_labels: int, draws: int, seed: int
) -> np.ndarray:
    """Draw users with replacement and return the mean of every column in every draw.

    A draw is a multinomial count per user (Efron & Tibshirani, 1993), so the sums of all columns in
    a block of draws are a matrix product of counts and values.

    Args:
        values: float (n_users, n_columns), NaN where a column is undefined for a user, who is then
            left out of that column's mean.
        labels: int (n_users,), the group of each user, from 0.
        n_labels: number of groups.
        draws: number of bootstrap samples.
        seed: seed of the generator.

    Returns:
        float32 (1 + n_labels, n_columns, draws): over all users, then over each group; NaN where a
        draw has no user with a value.
    """
    n_users, n_columns = values.shape
    # Most users have no hit, so columns that are mostly 0 need only the rows of the other users.
    nonzero = ~np.isnan(values) & (values != 0)
    sparse = nonzero.mean(axis=0) < _SPARSE_SHARE
    with_hits = nonzero[:, sparse].any(axis=1)
    order = np.lexsort((~with_hits, labels))
    bounds = np.searchsorted(labels[order], np.arange(n_labels + 1))
    hits_end = bounds[:-1] + np.bincount(labels[with_hits], minlength=n_labels)
    filled, masks, mask_of = _fill(values[order])
    sparse_values, dense_values = filled[:, sparse], filled[:, ~sparse]
    result = np.empty((1 + n_labels, n_columns, draws), dtype=np.float32)
    for rows, counts in _count_blocks(n_users, draws, seed):
        sums = np.empty((1 + n_labels, n_columns, len(counts)), dtype=np.float32)
        sizes = np.empty((1 + n_labels, masks.shape[1], len(counts)), dtype=np.float32)
        for label in range(n_labels):
            members = slice(bounds[label], bounds[label + 1])
            hit_members = slice(bounds[label], hits_end[label])
            # In this order: the product of the transposes takes twenty times as long.
            sums[1 + label, sparse] = (counts[:, hit_members] @ sparse_values[hit_members]).T
            sums[1 + label, ~sparse] = (counts[:, members] @ dense_values[members]).T
            sizes[1 + label] = (counts[:, members] @ masks[members]).T
        sums[0], sizes[0] = sums[1:].sum(axis=0), sizes[1:].sum(axis=0)
        with np.errstate(invalid="ignore"):
            result[:, :, rows] = sums / sizes[:, mask_of]
    return result


def percentile_interval(draws: np.ndarray, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the percentile interval over the last axis, linearly interpolated.

    One sort for both ends; numpy's ``nanquantile`` loops over the rows in Python.

    Args:
        draws: float (..., n_draws), NaN for draws to ignore.
        confidence: coverage of the interval, for example 0.95.

    Returns:
        lower and upper ends, float64 (...); NaN where all draws are NaN or an end is not finite.
    """
    ordered = np.sort(draws, axis=-1)
    last = (~np.isnan(ordered)).sum(axis=-1) - 1
    tail = (1.0 - confidence) / 2.0
    return _at_quantile(ordered, last, tail), _at_quantile(ordered, last, 1.0 - tail)


def sign_flip_p_values(
    differences: np.ndarray, labels: np.ndarray, n_labels: int, draws: int, seed: int
) -> np.ndarray:
    """Return two-sided p values of the mean paired difference under sign flips (Fisher, 1935).

    ``p = (1 + #{|sum of flipped| >= |observed sum|}) / (1 + draws)``, never 0 (Phipson & Smyth,
    2010).

    Args:
        differences: float (n_users, n_columns), paired differences, NaN where undefined.
        labels: int (n_users,), the group of each user, from 0.
        n_labels: number of groups.
        draws: number of permutations.
        seed: seed of the generator.

    Returns:
        float64 (1 + n_labels, n_columns): over all users, then over each group; NaN where no
        user has a difference.
    """
    n_columns = differences.shape[1]
    order = np.argsort(labels, kind="stable")
    defined = ~np.isnan(differences[order])
    support = _sums_by_label(defined, np.searchsorted(labels[order], np.arange(n_labels + 1)))
    filled = np.where(defined, differences[order], 0.0).astype(np.float32)
    # Users without any difference do not change the sums.
    differing = filled.any(axis=1)
    filled = filled[differing]
    bounds = np.searchsorted(labels[order][differing], np.arange(n_labels + 1))
    observed = _sums_by_label(filled, bounds)
    # The tolerance makes equal sums count as equal despite single-precision rounding.
    threshold = np.abs(observed) - 1e-6 * _sums_by_label(np.abs(filled), bounds)
    exceeding = np.zeros((1 + n_labels, n_columns), dtype=np.int64)
    for rows, signs in _sign_blocks(len(filled), draws, seed):
        sums = np.zeros((1 + n_labels, n_columns, rows.stop - rows.start), dtype=np.float32)
        for label in range(n_labels):
            members = slice(bounds[label], bounds[label + 1])
            sums[1 + label] = (signs[:, members] @ filled[members]).T
        sums[0] = sums[1:].sum(axis=0)
        exceeding += (np.abs(sums) >= threshold[:, :, None]).sum(axis=2)
    p_values = (1.0 + exceeding) / (1.0 + draws)
    return np.where(support > 0, p_values, np.nan)


def effect_size(differences: np.ndarray) -> np.ndarray:
    """Return Cohen's d_z of paired differences: mean / sample standard deviation (Cohen, 1988).

    Args:
        differences: float (n_users, n_columns), NaN where undefined.

    Returns:
        float64 (n_columns,); 0 where all differences are 0, NaN where there are fewer than two
        users or all differences are equal and not 0.
    """
    count = (~np.isnan(differences)).sum(axis=0)
    total = np.nansum(differences, axis=0)
    mean = np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0)
    squares = np.nansum(np.square(differences - mean), axis=0)
    variance = np.divide(squares, count - 1, out=np.full(len(count), np.nan), where=count > 1)
    deviation = np.sqrt(variance)
    # The deviation of a constant difference is only rounding error.
    spread = deviation > 1e-12 * np.abs(mean)
    size = np.divide(mean, deviation, out=np.full(len(count), np.nan), where=spread)
    return np.where((count > 1) & (mean == 0), 0.0, size)


def holm(p_values: np.ndarray) -> np.ndarray:
    """Adjust the p values of each family for multiple tests (Holm, 1979).

    Scipy has no Holm; statsmodels takes one family and no NaN at a time, and with the hundreds of
    families of an evaluation it needs half a minute.

    Args:
        p_values: float (n_tests, ...), a family along the first axis; NaN marks a missing test.

    Returns:
        float64, same shape: the smallest level at which each hypothesis is rejected.
    """
    order = np.argsort(p_values, axis=0)
    ordered = np.take_along_axis(p_values, order, axis=0)
    n_tests = (~np.isnan(p_values)).sum(axis=0)
    ranks = np.arange(len(p_values)).reshape((-1,) + (1,) * (p_values.ndim - 1))
    stepped = np.maximum.accumulate(ordered * np.maximum(n_tests - ranks, 1), axis=0)
    adjusted = np.empty_like(stepped)
    np.put_along_axis(adjusted, order, np.minimum(stepped, 1.0), axis=0)
    return adjusted


def _fill(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return zero-filled values, the distinct masks of defined users, and each column's mask."""
    defined = ~np.isnan(values)
    _, first, mask_of = np.unique(
        np.packbits(defined, axis=0), axis=1, return_index=True, return_inverse=True
    )
    filled = np.where(defined, values, 0.0).astype(np.float32)
    return filled, defined[:, first].astype(np.float32), mask_of


def _blocks(n_users: int, draws: int) -> Iterator[slice]:
    step = max(1, _BLOCK_BYTES // (4 * max(n_users, 1)))
    for start in range(0, draws, step):
        yield slice(start, min(start + step, draws))


def _count_blocks(n_users: int, draws: int, seed: int) -> Iterator[tuple[slice, np.ndarray]]:
    rng = np.random.default_rng(seed)
    for rows in _blocks(n_users, draws):
        counts = np.empty((rows.stop - rows.start, n_users), dtype=np.float32)
        for row in counts:
            row[:] = np.bincount(rng.integers(0, n_users, n_users), minlength=n_users)
        yield rows, counts


def _sign_blocks(n_users: int, draws: int, seed: int) -> Iterator[tuple[slice, np.ndarray]]:
    rng = np.random.default_rng(seed)
    for rows in _blocks(n_users, draws):
        shape = (rows.stop - rows.start, -(-n_users // 8))
        bits = np.unpackbits(rng.integers(0, 256, shape, dtype=np.uint8), axis=1, count=n_users)
        yield rows, bits.astype(np.float32) * 2.0 - 1.0


def _sums_by_label(values: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    parts = [
        values[start:end].sum(axis=0, dtype=np.float64) for start, end in itertools.pairwise(bounds)
    ]
    return np.stack([np.sum(parts, axis=0), *parts])


def _at_quantile(ordered: np.ndarray, last: np.ndarray, quantile: float) -> np.ndarray:
    place = np.maximum(last, 0) * quantile
    below = np.floor(place).astype(np.int64)
    above = np.minimum(below + 1, np.maximum(last, 0))
    low = np.take_along_axis(ordered, below[..., None], axis=-1)[..., 0].astype(np.float64)
    high = np.take_along_axis(ordered, above[..., None], axis=-1)[..., 0].astype(np.float64)
    with np.errstate(invalid="ignore"):
        end = low + (high - low) * (place - below)
    return np.where((last >= 0) & np.isfinite(end), end, np.nan)
