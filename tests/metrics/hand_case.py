"""A case small enough to compute every metric by hand.

Catalogue: a (head), b and c (tail), d and e (cold). History: only u3 consumed b and c.

    user          relevant   list
    u1 (active)   a c d      d b c a
    u2 (quiet)    b          a c
    u3 (quiet)    a          none
    u4 (new)      b e        a b
"""

from dataclasses import dataclass

import pandas as pd

from longtail.metrics.tables import GroundTruth, ground_truth


@dataclass(frozen=True)
class Case:
    truth: GroundTruth
    recommendations: pd.DataFrame
    tables: dict[str, pd.DataFrame]


def pairs(*rows: str) -> pd.DataFrame:
    """Build user_id, item_id rows from "user item item ..." strings."""
    return pd.DataFrame(
        [(row.split()[0], item) for row in rows for item in row.split()[1:]],
        columns=["user_id", "item_id"],
        dtype="str",
    )


def lists(*rows: str) -> pd.DataFrame:
    """Build recommendations from "user best second ..." strings."""
    table = pairs(*rows)
    rank = table.groupby("user_id").cumcount() + 1
    return table.assign(rank=rank, score=1.0 / rank)


def hand_case() -> Case:
    """Return the case of the module's docstring."""
    tables = {
        "test_interactions": pairs("u1 a c d", "u2 b", "u3 a", "u4 b e"),
        "train_interactions": pairs("u3 b"),
        "validation_interactions": pairs("u3 c"),
        "item_groups": pd.DataFrame(
            {
                "item_id": list("abcde"),
                "interaction_count": [8, 3, 1, 0, 0],
                "item_group": ["head", "tail", "tail", "cold", "cold"],
            }
        ),
        "user_groups": pd.DataFrame(
            {
                "user_id": ["u1", "u2", "u3", "u4"],
                "history_length": [9, 2, 2, 0],
                "user_group": ["active", "quiet", "quiet", "new"],
            }
        ),
    }
    recommendations = lists("u1 d b c a", "u2 a c", "u4 a b")
    return Case(ground_truth(**tables), recommendations, tables)
