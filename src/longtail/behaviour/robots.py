"""Users who behave like robots or resellers: robust statistics of rate, breadth and regularity."""

from typing import Literal

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

FEATURES = ("rate", "breadth", "regularity")
_DAY = 86_400
_MAD_TO_SIGMA = 0.6745
_FLOOR = 1e-2


class Robots(BaseModel):
    """How users who are no people are told."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: Literal["off", "robust_z", "isolation_forest"] = Field(
        default="off",
        description="off, because it is risky: it removes whole users by all that they do, also "
        "after the test period begins, and the most devoted people look like robots; switch it on "
        "after a look at the data. robust_z: far above the median in two of rate (events a day), "
        "breadth (distinct items) and regularity (even gaps); isolation_forest: the most isolated "
        "users in the three (Liu, Ting and Zhou, 2008).",
    )
    z: float = Field(
        default=6.0, gt=0, description="Robust z-score, median and MAD, that is far (robust_z)."
    )
    share: float = Field(
        default=0.005,
        gt=0,
        le=0.5,
        description="Share of the users that is most isolated (isolation_forest).",
    )
    min_events: int = Field(
        default=50, ge=3, description="Users with fewer events are never robots."
    )


def user_features(events: ir.Table) -> ir.Table:
    """Return rate, breadth and regularity of every user.

    Args:
        events: user_id, item_id, timestamp (unix seconds or null).

    Returns:
        user_id, n_events, rate (events per active day), breadth (distinct items), regularity (mean
        gap between events over the standard deviation of the gaps; a Poisson process has 1).
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


def suspicious(features: pd.DataFrame, settings: Robots, seed: int) -> NDArray[np.bool_]:
    """Tell which users behave like robots.

    Args:
        features: Rows of ``user_features``, (n_users,).
        settings: Method and bounds.
        seed: Seed of the isolation forest.

    Returns:
        (n_users,) flags.
    """
    values = np.log1p(features[list(FEATURES)].to_numpy(dtype=np.float64))
    enough = features["n_events"].to_numpy() >= settings.min_events
    if settings.method == "off" or not enough.any():
        return np.zeros(len(features), dtype=bool)
    if settings.method == "robust_z":
        return enough & ((robust_z(values) >= settings.z).sum(axis=1) >= 2)
    # Importing it takes longer than cleaning a small log, and few ask for it.
    from sklearn.ensemble import IsolationForest  # noqa: PLC0415

    forest = IsolationForest(contamination=settings.share, random_state=seed)
    return enough & (forest.fit_predict(values) == -1)


def robust_z(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (n, d) distances to the columns' medians in robust standard deviations (MAD)."""
    centred = values - np.median(values, axis=0)
    mad = np.median(np.abs(centred), axis=0)
    return _MAD_TO_SIGMA * centred / np.maximum(mad, _FLOOR)
