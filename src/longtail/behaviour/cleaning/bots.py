"""Bot detection: users whose rate, breadth and regularity are those of a bot or a reseller."""

from typing import Literal

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from scipy.stats import median_abs_deviation

FEATURES = ("rate", "breadth", "regularity")
_DAY = 86_400
_MAD_TO_SIGMA = 0.6745
_MIN_MAD = 1e-2


class BotDetection(BaseModel):
    """How bots are detected; all their rows are rejected."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: Literal["off", "robust_z", "isolation_forest"] = Field(
        default="off",
        description="Detection method. robust_z: the user is far above the median in at least two "
        "of rate (events per active day), breadth (distinct items) and regularity (even gaps "
        "between events). isolation_forest: the user is among the most isolated in these three "
        "features (Liu, Ting and Zhou, 2008). off by default: detection looks at a user's whole "
        "history, including events after the start of the test period, and very active people can "
        "look like bots. Inspect the data before switching it on.",
    )
    z: float = Field(
        default=6.0,
        gt=0,
        description="robust_z: threshold in robust standard deviations (from the median absolute "
        "deviation) above the median of the logarithm of a feature.",
    )
    share: float = Field(
        default=0.005,
        gt=0,
        le=0.5,
        description="isolation_forest: share of all users to flag, above 0 and at most 0.5.",
    )
    min_events: int = Field(
        default=50, ge=3, description="Users with fewer events are never flagged."
    )


def bot_features(events: ir.Table) -> ir.Table:
    """Return rate, breadth and regularity of every user.

    Args:
        events: user_id, item_id, timestamp (unix seconds or null).

    Returns:
        user_id, n_events, rate (events per active day), breadth (distinct items), regularity (mean
        gap between events over the standard deviation of the gaps; 1 for a Poisson process).
    """
    by_time = ibis.window(group_by=events.user_id, order_by=events.timestamp)
    gaps = events.select(
        "user_id",
        "item_id",
        day=(events.timestamp // _DAY),
        gap=(events.timestamp - events.timestamp.lag().over(by_time)).cast("float64"),
    )
    facts = gaps.group_by("user_id").aggregate(
        n_events=gaps.count(),
        days=gaps.day.nunique(),
        breadth=gaps.item_id.nunique(),
        mean_gap=gaps.gap.mean(),
        spread=gaps.gap.std(how="pop"),
    )
    evenness = facts.mean_gap / ibis.greatest(facts.spread, 0.5)
    return facts.select(
        "user_id",
        "n_events",
        rate=facts.n_events / ibis.greatest(facts.days, 1),
        breadth=facts.breadth.cast("float64"),
        regularity=evenness.fill_null(0.0),
    ).order_by("user_id")


def flag_bots(features: pd.DataFrame, settings: BotDetection, seed: int) -> NDArray[np.bool_]:
    """Flag the users who look like bots.

    Args:
        features: rows of ``bot_features``, (n_users,).
        settings: method and thresholds.
        seed: seed of the isolation forest.

    Returns:
        (n_users,) flags.
    """
    values: NDArray[np.float64] = np.log1p(features[list(FEATURES)].to_numpy(dtype=np.float64))
    enough: NDArray[np.bool_] = features["n_events"].to_numpy() >= settings.min_events
    if settings.method == "off" or not enough.any():
        return np.zeros(len(features), dtype=bool)
    if settings.method == "robust_z":
        n_far: NDArray[np.int64] = (robust_z(values) >= settings.z).sum(axis=1)
        return enough & (n_far >= 2)
    # Imported here: the import takes longer than cleaning a small log, and few runs need it.
    from sklearn.ensemble import IsolationForest  # noqa: PLC0415

    forest = IsolationForest(contamination=settings.share, random_state=seed)
    isolated: NDArray[np.bool_] = forest.fit_predict(values) == -1
    return enough & isolated


def robust_z(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (n, d) distances to the column medians in robust standard deviations (MAD)."""
    centred: NDArray[np.float64] = values - np.median(values, axis=0)
    mad: NDArray[np.float64] = median_abs_deviation(values, axis=0)
    distances: NDArray[np.float64] = _MAD_TO_SIGMA * centred / np.maximum(mad, _MIN_MAD)
    return distances
