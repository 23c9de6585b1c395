"""Which test interactions count as relevant, where not every positive event does."""

from collections.abc import Sequence
from difflib import get_close_matches

import ibis.expr.types as ir
import pandas as pd

from longtail.behaviour.cleaning.columns import stripped
from longtail.errors import UserError

_KEYS = ["user_id", "item_id"]


def relevant_interactions(
    test: pd.DataFrame, interactions: ir.Table, events: Sequence[str]
) -> pd.DataFrame:
    """Return the test interactions with a positive event of one of the given types.

    A test pair has no positive event before the test period; a later event of the pair counts,
    whether or not it is its first.

    Args:
        test: user_id, item_id.
        interactions: user_id, item_id, event_type, weight of all kept events.
        events: event types, matched in any case.

    Raises:
        UserError: if the log has no such event type, or no test interaction such an event.
    """
    kind = stripped(interactions.event_type.fill_null("")).lower()
    wanted = [name.strip().lower() for name in events]
    _check_known(interactions, kind, wanted)
    matching = interactions.filter((interactions.weight > 0) & kind.isin(wanted))
    pairs = matching.select(*_KEYS).distinct().to_pandas()
    relevant = test.merge(pairs, on=_KEYS, how="inner")
    if relevant.empty:
        raise UserError(
            f"No test interaction has one of the events {', '.join(events)} "
            "(evaluation.relevant_events). Name more events, or set it to null."
        )
    return relevant


def _check_known(interactions: ir.Table, kind: ir.StringValue, wanted: Sequence[str]) -> None:
    kinds = interactions.select(kind=kind).distinct().order_by("kind").to_pyarrow()
    known = [name for name in kinds["kind"].to_pylist() if name]
    for name in wanted:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(known) or 'none'}."
            raise UserError(
                f"The log has no event type '{name}' (evaluation.relevant_events): {hint}"
            )
