"""The histories of the whole log keep the order that cleaning found."""

import numpy as np
import pandas as pd

from longtail.behaviour.histories import build_histories
from longtail.pipelines.behaviour_cleaning.params import BehaviourCleaningParameters
from longtail.pipelines.deploy.nodes import index_whole_log

ITEMS = np.array(list("abcdef"), dtype=object)
NO_DISLIKES = pd.DataFrame({"user_id": [], "item_id": [], "known_at": []}, dtype=object)


def pairs(user: str, items: str, first_position: int) -> pd.DataFrame:
    """Interactions of one user within one second."""
    position = np.arange(first_position, first_position + len(items))
    return pd.DataFrame(
        {"user_id": user, "item_id": list(items), "timestamp": 7.0, "weight": 1.0}
    ).assign(position=position)


def test_the_order_within_a_second_survives_the_test_period() -> None:
    past_pairs = pd.concat([pairs("u", "cab", 0), pairs("v", "fe", 0)])
    past = build_histories(past_pairs, np.array(["u", "v"], dtype=object), ITEMS)
    test = pd.concat([pairs("u", "fde", 3), pairs("w", "ba", 0)])
    fold_in = pairs("x", "dc", 1)

    log = index_whole_log(past, test, fold_in, NO_DISLIKES, BehaviourCleaningParameters())

    chosen = pd.Series(ITEMS[log.items]).groupby(log.user_ids[log.users]).agg("".join)
    assert chosen.to_dict() == {"u": "cabfde", "v": "fe", "w": "ba", "x": "dc"}
