"""Earlier origins of an evaluation: the log as it was before one or more test periods."""

from __future__ import annotations

import ibis.expr.types as ir
from pydantic import BaseModel, ConfigDict, Field

from longtail.behaviour.computed import computed
from longtail.behaviour.pairs import first_positive, split_pairs
from longtail.behaviour.signals import Signals
from longtail.behaviour.splits import Assignment, SplitSettings, assign_splits
from longtail.errors import UserError


class RepeatParameters(BaseModel):
    """Which repeat of a study a run is; `kedro repeat` sets both."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    origin: int = Field(
        default=0,
        ge=0,
        description="How many test periods are cut off the end of the log before it is split, so "
        "that no two origins share a test interaction. 0: the whole log. The protocols temporal "
        "and per_user have earlier origins if the log has times.",
    )
    seed: int | None = Field(
        default=None,
        ge=0,
        description="Seed of the split and of the vectors, in place of behaviour_cleaning.seed, "
        "item_encoding.tfidf_seed and item_encoding.adaptation.seed, so that cleaned data and "
        "embeddings are not made again. null keeps these.",
    )

    @property
    def is_first(self) -> bool:
        """Whether the run is the one that a study repeats: the whole log, the configured seeds."""
        return self.origin == 0 and self.seed is None

    def seed_or(self, configured: int) -> int:
        """Return the seed of this repeat, the configured one where it has none."""
        return configured if self.seed is None else self.seed


FIRST_REPEAT = RepeatParameters()


def split_at_origin(
    events: ir.Table, settings: SplitSettings, signals: Signals | None, origin: int
) -> Assignment:
    """Split a log without its last test periods, so that no two origins share a test interaction.

    Origin 0 is the whole log. Origin o is what the same split makes of the log without the test
    periods of the origins 0 to o - 1: under "temporal" the log ends where the test period of origin
    o - 1 begins, under "per_user" each user's log does.

    Args:
        events: user_id, item_id, timestamp, weight, as for ``split_pairs``.
        settings: how to split; the same protocol at every origin.
        signals: decay and saturation of the weights; None: every pair weighs 1.
        origin: how many test periods to drop.

    Raises:
        UserError: if there is no earlier origin, because the log has no order or the protocol hides
            items or users instead of a period.
    """
    for _ in range(origin):
        assignment = assign_splits(first_positive(events), settings)
        events = computed(_before_test(events, assignment))
    return split_pairs(events, settings, signals)


def _before_test(events: ir.Table, assignment: Assignment) -> ir.Table:
    """Return the events before the test period; after a split per user, before each user's own."""
    if assignment.cutoffs is not None:
        return events.filter(events.timestamp < assignment.cutoffs.test_start)
    if assignment.protocol != "per_user" or not assignment.has_order:
        reason = (
            "the interactions have no order in time"
            if assignment.protocol == "per_user"
            else f"the protocol {assignment.protocol} hides items or users instead of a period"
        )
        raise UserError(
            f"There is no earlier origin: {reason}. Set repeat.origin to 0, or run `kedro repeat`"
            " with --origins 1."
        )
    pairs = assignment.interactions
    test = pairs.filter(pairs.split == "test")
    starts = test.group_by("user_id").aggregate(test_start=test.timestamp.min())
    earlier = events.anti_join(test, ["user_id", "item_id"])
    joined = earlier.left_join(starts, "user_id").drop("user_id_right")
    # An interaction as old as the first one of the test can precede it.
    late = joined.timestamp > joined.test_start
    return joined.filter(~late.fill_null(False)).drop("test_start")
