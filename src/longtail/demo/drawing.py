"""What the fabricated data sets share: their period, and who chooses what."""

import numpy as np
from numpy.typing import NDArray

START = 1_577_836_800
DURATION = 2 * 365 * 86_400


def draw_items(weights: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.int64]:
    """Return (n,) one item for each (n, n_items) row of weights, in proportion to them."""
    cumulative = weights.cumsum(axis=1)
    drawn = random.random(len(weights)) * cumulative[:, -1]
    items: NDArray[np.int64] = (cumulative < drawn[:, None]).sum(axis=1)
    return items


def times(moments: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return moments (0 to 1) of the period as unix seconds."""
    return (START + moments * DURATION).astype(np.int64)
