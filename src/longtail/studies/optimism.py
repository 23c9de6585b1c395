"""Optimism of a choice: how much better the chosen setting looks to the users who chose it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def optimism(values: NDArray[np.floating], draws: int = 400, seed: int = 42) -> float:
    """Return by how much a value on the users of the choice exceeds that on other users.

    Half of the users, drawn at random, choose the setting with the highest mean. The result is the
    mean over the draws of the value of this setting on them minus that on the other half. As
    choices on half of the users are noisier, it is an upper bound for those on all.

    Args:
        values: (n_settings, n_users) quality by setting and user; at least two users.
        draws: random halves.
        seed: seed of the halves.
    """
    generator = np.random.default_rng(seed)
    n_users = values.shape[1]
    total = 0.0
    for _ in range(draws):
        chooses = generator.permutation(n_users) < n_users // 2
        chosen = values[int(values[:, chooses].mean(axis=1).argmax())]
        total += float(chosen[chooses].mean() - chosen[~chooses].mean())
    return total / draws
