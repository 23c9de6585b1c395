"""Example lists of a few users with titles and reasons, and a sample of users to search in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from longtail.behaviour.groups import draw_ids
from longtail.text.keywords import beyond_title

# Items of a history that can be searched, the latest.
SEARCHED_HISTORY = 100


@dataclass(frozen=True)
class Entry:
    """One item of a list.

    Attributes:
        title: title, or id where there is no title.
        about: summary, or keywords beyond the title's words, or "".
        item_group: popularity group.
        hit: whether the user chose the item in the test period.
        reason: why the item is in the list, "" where no reason is given.
        item_id: of the item.
    """

    title: str
    about: str
    item_group: str
    hit: bool
    reason: str = ""
    item_id: str = field(default="", compare=False)


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


def draw_searchable(evaluated: pd.Series, examples: Sequence[str], n: int, seed: int) -> list[str]:
    """Draw evaluated users to search in, the examples among them.

    Args:
        evaluated: user ids of the test interactions.
        examples: users who are shown in any case.
        n: number of users; all if there are fewer, none if 0.
        seed: seed of the draw.

    Returns:
        user ids in ascending order.
    """
    users = pd.Series(evaluated.unique())
    shown = list(examples)[:n]
    others = users[~users.isin(shown)]
    return sorted([*shown, *draw_ids(others, n - len(shown), seed)])


def example_lists(
    users: Sequence[str],
    history: pd.DataFrame,
    test_interactions: pd.DataFrame,
    recommendations: Mapping[str, pd.DataFrame],
    items: pd.DataFrame,
    understanding: pd.DataFrame,
    item_groups: pd.DataFrame,
    length: int,
    reasons: pd.DataFrame | None = None,
    latest: int | None = None,
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
        length: number of items shown of each list.
        reasons: user_id, item_id, sentence of the lists of the hybrid.
        latest: number of items shown of the history and of the chosen items; by default ``length``.
    """
    wanted = set(users)
    had = _items_by_user(history, wanted)
    chosen = _items_by_user(test_interactions, wanted)
    lists = {
        model: _items_by_user(table[table["rank"] <= length].sort_values("rank"), wanted)
        for model, table in recommendations.items()
    }
    sentences = _sentences(reasons, wanted)
    titles = items.set_index("item_id")["title"].to_dict()
    described = understanding.set_index("item_id")
    about = described["summary"].where(described["summary"] != "", described["keywords"]).to_dict()
    has_summary = (described["summary"] != "").to_dict()
    groups = item_groups.set_index("item_id")["item_group"].to_dict()

    def entries(ids: Sequence[str], hits: set[str], why: Mapping[str, str]) -> list[Entry]:
        return [
            Entry(
                titles.get(item) or item,
                about[item]
                if has_summary[item]
                else beyond_title(about[item], titles.get(item) or ""),
                groups[item],
                item in hits,
                why.get(item, ""),
                item,
            )
            for item in ids
        ]

    shown = length if latest is None else latest
    return [
        Example(
            user_id=user,
            n_history=len(had.get(user, [])),
            n_chosen=len(chosen.get(user, [])),
            latest=entries(had.get(user, [])[::-1][:shown], set(), {}),
            chosen=entries(chosen.get(user, [])[:shown], set(), {}),
            lists={
                model: entries(
                    found.get(user, []),
                    set(chosen.get(user, [])),
                    sentences.get(user, {}) if model == "hybrid" else {},
                )
                for model, found in lists.items()
            },
        )
        for user in users
    ]


def search_data(examples: Sequence[Example]) -> dict[str, Any]:
    """Return users, lists and items as plain JSON to search in, each item once.

    Returns:
        ``items`` (id, title, group, about) and ``users`` (id, n_history, n_chosen, history, chosen
        and lists by model: places in ``items``; a list also holds hits and reasons).
    """
    places: dict[tuple[str, ...], int] = {}

    def place(entry: Entry) -> int:
        item = (entry.item_id, entry.title, entry.item_group, entry.about)
        return places.setdefault(item, len(places))

    users = [
        {
            "id": example.user_id,
            "n_history": example.n_history,
            "n_chosen": example.n_chosen,
            "history": [place(entry) for entry in example.latest],
            "chosen": [place(entry) for entry in example.chosen],
            "lists": {
                model: [[place(entry), int(entry.hit), entry.reason] for entry in entries]
                for model, entries in example.lists.items()
            },
        }
        for example in examples
    ]
    return {"items": [list(item) for item in places], "users": users}


def _items_by_user(table: pd.DataFrame, users: set[str]) -> dict[str, list[str]]:
    """Return the item ids of each of the users, in the order of the table."""
    own = table.loc[table["user_id"].isin(users), ["user_id", "item_id"]]
    return {str(user): ids.tolist() for user, ids in own.groupby("user_id", sort=False)["item_id"]}


def _sentences(reasons: pd.DataFrame | None, users: set[str]) -> dict[str, dict[str, str]]:
    """Return the reasons by user and item."""
    if reasons is None:
        return {}
    own = reasons[reasons["user_id"].isin(users)]
    return {
        str(user): dict(zip(rows["item_id"], rows["sentence"], strict=True))
        for user, rows in own.groupby("user_id", sort=False)
    }
