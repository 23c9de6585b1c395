"""The spread over repeats against a case computed by hand."""

from math import sqrt
from typing import Any

import pytest

from longtail.metrics.repeats import (
    Repeat,
    difference_table,
    headlines_of,
    roles,
    spread_table,
)


def row(model: str, value: float, metric: str = "ndcg", group: str = "all") -> dict[str, Any]:
    return {
        "model": model,
        "metric": metric,
        "k": 20,
        "item_group": group,
        "user_group": "all",
        "value": value,
        "ci_low": value - 1,
        "ci_high": value + 1,
    }


def repeats(**models: list[float]) -> list[Repeat]:
    """Return 2 origins x 2 seeds; the values of a model are (0, 0), (0, 1), (1, 0), (1, 1)."""
    keys = [(0, 0), (0, 1), (1, 0), (1, 1)]
    compared = {"baseline": "als", "difference_ci_low": -0.5, "difference_ci_high": 2.5}
    return [
        Repeat(*key, [row(name, values[place]) for name, values in models.items()],
               [row("hybrid", 0.0) | compared])
        for place, key in enumerate(keys)
    ]  # fmt: skip


def test_spreads_over_origins_and_seeds_are_told_apart() -> None:
    (found,) = spread_table(repeats(als=[1.0, 3.0, 5.0, 9.0]))
    # Same seed, two origins: (1, 5) and (3, 9) have the variances 8 and 18.
    # Same origin, two seeds: (1, 3) and (5, 9) have the variances 2 and 8.
    assert found["mean"] == 4.5
    assert found["sd_origins"] == pytest.approx(sqrt(13))
    assert found["sd_seeds"] == pytest.approx(sqrt(5))
    assert (found["low"], found["high"], found["n_repeats"]) == (1.0, 9.0, 4)
    assert (found["ci_low"], found["ci_high"]) == (0.0, 2.0)


def test_the_first_repeat_gives_the_interval_whatever_the_order() -> None:
    (found,) = spread_table(repeats(als=[1.0, 3.0, 5.0, 9.0])[::-1])
    assert (found["ci_low"], found["ci_high"]) == (0.0, 2.0)


def test_one_origin_or_one_seed_has_no_spread() -> None:
    both = repeats(als=[1.0, 3.0, 5.0, 9.0])
    (one_origin,) = spread_table(both[:2])
    assert one_origin["sd_origins"] is None
    assert one_origin["sd_seeds"] == pytest.approx(sqrt(2))
    (one_run,) = spread_table(both[:1])
    assert (one_run["sd_origins"], one_run["sd_seeds"]) == (None, None)


def test_models_that_a_repeat_lacks_are_left_out() -> None:
    runs = repeats(als=[1.0] * 4, hybrid=[2.0] * 4)
    runs[2] = runs[2]._replace(leaderboard=[row("als", 1.0)])
    assert [found["model"] for found in spread_table(runs)] == ["als"]
    assert difference_table(runs, ["als"]) == []


def test_differences_count_the_repeats_of_the_same_sign() -> None:
    runs = repeats(hybrid=[3.0, 4.0, 5.0, 6.0], als=[1.0, 4.0, 6.0, 2.0])
    (found,) = difference_table(runs, ["als"])
    # 2, 0, -1, 4
    assert (found["mean"], found["low"], found["high"]) == (1.25, -1.0, 4.0)
    assert (found["n_same_sign"], found["n_repeats"]) == (2, 4)
    assert (found["ci_low"], found["ci_high"]) == (-0.5, 2.5)
    (reverse,) = difference_table(repeats(hybrid=[1.0] * 4, als=[2.0] * 4), ["als"])
    assert (reverse["mean"], reverse["n_same_sign"]) == (-1.0, 4)


def test_the_best_single_models_are_those_of_the_highest_mean() -> None:
    spreads = spread_table(
        repeats(hybrid=[9.0] * 4, als=[2.0] * 4, ease=[1.0, 1.0, 1.0, 9.0], text_knn=[1.0] * 4)
    )
    assert roles(spreads, "als", ["text_knn"]) == {
        "hybrid": "hybrid",
        "baseline": "als",
        "best without text": "ease",
        "best with text": "text_knn",
    }


def test_headlines_are_of_one_length_and_all_users() -> None:
    wanted = [row("als", 1.0), row("als", 1.0, "recall", "tail"), row("als", 1.0, "recall", "head")]
    others = [
        row("als", 1.0) | {"k": 10},
        row("als", 1.0) | {"user_group": "quiet"},
        row("als", 1.0, "recall"),
    ]
    assert headlines_of([*others, *wanted], 20) == wanted
