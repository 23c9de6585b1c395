import numpy as np
import pytest

from longtail.studies.optimism import optimism


def test_by_hand() -> None:
    """Each of two users chooses its own best setting, which is worth nothing to the other."""
    assert optimism(np.eye(2)) == 1


def test_a_setting_without_a_rival_is_not_optimistic() -> None:
    values = np.random.default_rng(0).random((1, 101))
    assert optimism(values, draws=2000) == pytest.approx(0, abs=0.005)


def test_more_equal_settings_are_more_optimistic() -> None:
    values = np.random.default_rng(0).random((50, 200))
    assert optimism(values) > optimism(values[:2]) > 0
