"""A generative language model as judge of lists."""

from __future__ import annotations

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from longtail.behaviour.groups import draw_ids
from longtail.text.generator import GeneratorParameters

LIST = "hybrid"
QUESTION = (
    "A customer chose these items, the latest first:\n{latest}\n"
    "Would the same customer choose this item next?\n- {title}\n"
    "Answer yes or no."
)


class JudgeParameters(BaseModel):
    """Settings of the judge and of the written reasons."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    users: int = Field(
        0, ge=0, description="Number of test users, drawn at random; 0 skips the study."
    )
    candidates: int = Field(20, ge=2, description="Items at the top of each list that are judged.")
    latest: int = Field(5, ge=1, description="Latest items of a user in the prompt.")
    sentences: int = Field(
        2, ge=0, description="Items at the top of each list that get a written reason."
    )
    generator: GeneratorParameters = GeneratorParameters()


def draw_users(test: pd.DataFrame, user_groups: pd.DataFrame, n: int, seed: int) -> list[str]:
    """Draw test users with a history.

    Args:
        test: user_id.
        user_groups: user_id, user_group.
        n: number of users; all if there are fewer.
        seed: seed of the draw.
    """
    with_history = user_groups.loc[user_groups["user_group"] != "new", "user_id"]
    return draw_ids(with_history[with_history.isin(test["user_id"])], n, seed)


def write_questions(
    lists: pd.DataFrame, history: pd.DataFrame, titles: pd.Series, latest: int
) -> list[str]:
    """Return a question for each item of the lists, in order.

    Args:
        lists: user_id, item_id.
        history: user_id, item_id in order of time.
        titles: by item_id.
        latest: number of latest items of the history in a question.
    """
    recent = history[history["user_id"].isin(lists["user_id"])].groupby("user_id").tail(latest)
    lines = ("- " + recent["item_id"].map(titles)).iloc[::-1]
    histories = lines.groupby(recent["user_id"].iloc[::-1]).agg("\n".join)
    pairs = zip(lists["user_id"].map(histories), lists["item_id"].map(titles), strict=True)
    return [QUESTION.format(latest=latest_titles, title=title) for latest_titles, title in pairs]


def orders(lists: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the lists ranked by the hybrid, by the judge, and by both.

    The blend is the sum of score and log odds, each standardised within the list. Ties keep the
    order of the list.

    Args:
        lists: user_id, item_id, rank, score, log_odds.

    Returns:
        user_id, item_id, rank by name of the order: ``hybrid``, ``judge``, ``blend``.
    """
    evidence = lists[["score", "log_odds"]]
    own = evidence.groupby(lists["user_id"])
    spread = own.transform("std", ddof=0)
    standard = (evidence - own.transform("mean")) / spread.where(spread > 0, 1.0)
    values = {
        LIST: -lists["rank"].astype(float),
        "judge": lists["log_odds"],
        "blend": standard["score"] + standard["log_odds"],
    }
    return {name: _ranked(lists, value) for name, value in values.items()}


def _ranked(lists: pd.DataFrame, values: pd.Series) -> pd.DataFrame:
    table = lists[["user_id", "item_id"]].assign(value=-values, before=lists["rank"])
    table = table.sort_values(["user_id", "value", "before"], ignore_index=True)
    rank = table.groupby("user_id").cumcount() + 1
    return table[["user_id", "item_id"]].assign(rank=rank)
