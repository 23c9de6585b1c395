import numpy as np
import pytest

from longtail.metrics.significance import (
    bootstrap_means,
    effect_size,
    holm,
    percentile_interval,
    sign_flip_p_values,
)

NAN = np.nan


def _interval(values: np.ndarray, seed: int = 1, draws: int = 2000) -> tuple[float, float]:
    labels = np.zeros(len(values), dtype=np.int64)
    means = bootstrap_means(values[:, None], labels, 1, draws, seed)
    low, high = percentile_interval(means, 0.95)
    return float(low[0, 0]), float(high[0, 0])


def test_interval_of_a_mean_matches_the_normal_approximation() -> None:
    values = np.random.default_rng(0).normal(2.0, 1.0, 4000)
    low, high = _interval(values, draws=4000)
    half = 1.96 * values.std() / np.sqrt(4000)
    assert low == pytest.approx(values.mean() - half, abs=0.1 * half)
    assert high == pytest.approx(values.mean() + half, abs=0.1 * half)


def test_interval_has_its_nominal_coverage() -> None:
    rng = np.random.default_rng(11)
    samples = rng.exponential(1.0, (200, 400))
    draws = bootstrap_means(samples, np.zeros(200, np.int64), 1, 1000, 3)
    low, high = percentile_interval(draws[0], 0.95)
    covered = ((low <= 1.0) & (high >= 1.0)).mean()
    assert 0.90 <= covered <= 0.98


def test_columns_share_their_draws() -> None:
    values = np.random.default_rng(4).random(50)
    draws = bootstrap_means(np.stack([values, values + 1], axis=1), np.zeros(50, int), 1, 200, 0)
    np.testing.assert_allclose(draws[0, 1] - draws[0, 0], 1.0, rtol=1e-5)


def test_groups_are_means_of_their_own_users() -> None:
    values = np.array([[1.0], [1.0], [5.0], [5.0]])
    draws = bootstrap_means(values, np.array([0, 0, 1, 1]), 2, 500, 0)
    assert np.nanmin(draws[1]) == np.nanmax(draws[1]) == 1.0
    assert np.nanmin(draws[2]) == np.nanmax(draws[2]) == 5.0
    assert 1.0 <= draws[0].min() < draws[0].max() <= 5.0
    # A draw may contain no user of a group of two.
    assert np.isnan(draws[1]).any()


def test_undefined_users_are_left_out_of_the_mean() -> None:
    values = np.array([[1.0, 1.0], [3.0, NAN], [NAN, NAN]])
    draws = bootstrap_means(values, np.zeros(3, int), 1, 300, 0)
    assert np.nanmax(draws[0, 1]) == np.nanmin(draws[0, 1]) == 1.0
    assert np.nanmax(draws[0, 0]) == 3.0


def test_the_seed_determines_the_draws() -> None:
    values = np.random.default_rng(0).random(30)
    assert _interval(values, seed=7) == _interval(values, seed=7)
    assert _interval(values, seed=7) != _interval(values, seed=8)


def test_percentiles_interpolate_and_skip_undefined_draws() -> None:
    draws = np.array([NAN, 4.0, 0.0, 1.0, 3.0, 2.0, NAN])
    low, high = percentile_interval(draws, 0.9)
    assert low == pytest.approx(np.nanquantile(draws, 0.05))
    assert high == pytest.approx(np.nanquantile(draws, 0.95))


def test_percentiles_without_finite_ends_are_undefined() -> None:
    low, high = percentile_interval(np.array([[NAN, NAN], [1.0, np.inf]]), 0.9)
    np.testing.assert_array_equal(low, [NAN, NAN])
    np.testing.assert_array_equal(high, [NAN, NAN])


def test_no_difference_has_p_one() -> None:
    p_values = sign_flip_p_values(np.zeros((100, 1)), np.zeros(100, int), 1, 500, 0)
    assert p_values[0, 0] == 1.0


def test_a_few_equal_differences_have_the_exact_p() -> None:
    # Of the 2**5 sign patterns only the two constant ones reach the observed sum.
    p_values = sign_flip_p_values(np.full((5, 1), 0.3), np.zeros(5, int), 1, 20_000, 0)
    assert p_values[0, 0] == pytest.approx(2 / 32, abs=0.006)


def test_p_is_uniform_without_an_effect_and_small_with_one() -> None:
    rng = np.random.default_rng(9)
    noise = rng.normal(0, 1, (100, 400))
    p_values = sign_flip_p_values(noise, np.zeros(100, int), 1, 999, 2)[0]
    assert 0.02 <= (p_values < 0.05).mean() <= 0.08
    assert p_values.mean() == pytest.approx(0.5, abs=0.06)
    shifted = sign_flip_p_values(noise[:, :5] + 1.0, np.zeros(100, int), 1, 999, 2)[0]
    np.testing.assert_allclose(shifted, 1 / 1000)


def test_p_of_groups() -> None:
    differences = np.concatenate([np.ones(20), np.zeros(20)])[:, None]
    p_values = sign_flip_p_values(differences, np.repeat([0, 1], 20), 2, 999, 0)[:, 0]
    assert p_values[1] < 0.01
    assert p_values[2] == 1.0
    undefined = sign_flip_p_values(np.full((3, 1), NAN), np.zeros(3, int), 1, 100, 0)
    assert np.isnan(undefined).all()


def test_effect_size_by_hand() -> None:
    differences = np.array([[1.0, 0.0, 2.0, 1.0], [2.0, 0.0, 2.0, NAN], [3.0, 0.0, 2.0, NAN]])
    # Mean 2 and sample deviation 1; all zero; no spread; one user.
    np.testing.assert_allclose(effect_size(differences), [2.0, 0.0, NAN, NAN])


def test_holm_by_hand() -> None:
    # Sorted .01 .02 .03 .04 times 4 3 2 1 is .04 .06 .06 .04, made monotone: .04 .06 .06 .06.
    np.testing.assert_allclose(holm(np.array([0.04, 0.01, 0.03, 0.02])), [0.06, 0.04, 0.06, 0.06])


def test_holm_skips_undefined_tests_and_stops_at_one() -> None:
    np.testing.assert_allclose(holm(np.array([NAN, 0.9, 0.4])), [NAN, 0.9, 0.8])
    np.testing.assert_allclose(holm(np.array([0.7, 0.9])), [1.0, 1.0])


def test_holm_adjusts_each_column_alone() -> None:
    p_values = np.array([[0.01, 0.5], [0.04, 0.02]])
    np.testing.assert_allclose(holm(p_values), [[0.02, 0.5], [0.04, 0.04]])
