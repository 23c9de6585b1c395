"""Example lists of a few users, with titles, for people to read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from longtail.behaviour.groups import draw_ids


@dataclass(frozen=True)
class Entry:
    """One item of a list.

    Attributes:
        title: title, or id where there is no title.
        about: summary, or keywords, or "".
        item_group: popularity group.
        hit: whether the user chose the item in the test period.
    """

    title: str
    about: str
    item_group: str
    hit: bool


@dataclass(frozen=True)
class Example:
    """History, recommendations of each model and test interactions of one user."""

    user_id: str
    n_history: int
    n_chosen: int
    latest: list[Entry]
    chosen: list[Entry]
    lists: dict[str, list[Entry]]


def draw_users(user_groups: pd.DataFrame, evaluated: pd.Series, n: int, seed: int) -> list[str]:
    """Draw evaluated quiet users at random, so that the examples are not hand-picked.

    Args:
        user_groups: user_id, user_group.
        evaluated: user ids of the test interactions.
        n: number of users; all if there are fewer.
        seed: seed of the draw.
    """
    quiet = user_groups.loc[user_groups["user_group"] == "quiet", "user_id"]
    return draw_ids(quiet[quiet.isin(evaluated)], n, seed)


def example_lists(
    users: Sequence[str],
    history: pd.DataFrame,
    test_interactions: pd.DataFrame,
    recommendations: Mapping[str, pd.DataFrame],
    items: pd.DataFrame,
    understanding: pd.DataFrame,
    item_groups: pd.DataFrame,
    length: int,
) -> list[Example]:
    """Return the examples of the given users.

    Args:
        users: user ids.
        history: user_id, item_id before the test period, in time order per user.
        test_interactions: user_id, item_id.
        recommendations: user_id, item_id, rank by model.
        items: item_id, title.
        understanding: item_id, keywords, summary.
        item_groups: item_id, item_group.
        length: number of items shown of each list, of the history and of the chosen items.
    """
    titles = items.set_index("item_id")["title"]
    described = understanding.set_index("item_id")
    about = described["summary"].where(described["summary"] != "", described["keywords"])
    groups = item_groups.set_index("item_id")["item_group"]
    examples = []
    for user in users:
        had = history.loc[history["user_id"] == user, "item_id"]
        chosen = test_interactions.loc[test_interactions["user_id"] == user, "item_id"]
        shown = {model: _top(table, user, length) for model, table in recommendations.items()}

        def entries(ids: pd.Series, hits: pd.Series) -> list[Entry]:
            is_hit = ids.isin(hits)
            return [
                Entry(titles.get(item) or item, about[item], groups[item], bool(hit))
                for item, hit in zip(ids, is_hit, strict=True)
            ]

        examples.append(
            Example(
                user_id=user,
                n_history=len(had),
                n_chosen=len(chosen),
                latest=entries(had.iloc[::-1].head(length), chosen.iloc[:0]),
                chosen=entries(chosen.head(length), chosen.iloc[:0]),
                lists={model: entries(ids, chosen) for model, ids in shown.items()},
            )
        )
    return examples


def _top(recommendations: pd.DataFrame, user: str, length: int) -> pd.Series:
    own = recommendations[recommendations["user_id"] == user]
    return own.sort_values("rank")["item_id"].head(length)
