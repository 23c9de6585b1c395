"""The node that scores a file."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import ibis.expr.types as ir
import pandas as pd

from longtail.pipelines.behaviour_cleaning.params import BehaviourCleaningParameters
from longtail.pipelines.scoring.params import ScoringParameters
from longtail.serving.batch import read_batch, score_batch
from longtail.serving.hybrid import ServedHybrid

logger = logging.getLogger(__name__)


def score_users(
    scoring_users: ir.Table,
    deployed: ServedHybrid,
    parameters: ScoringParameters,
    cleaning: BehaviourCleaningParameters,
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Return the lists of the users of a file, twice for two file formats, and a report.

    The lists are those that the registered model answers: user_id, known (whether the log has the
    user), rank (from 1), item_id, title, score, reason.
    """
    batch = read_batch(scoring_users.to_pandas(), cleaning.min_rating)
    lists, report = score_batch(deployed, batch, parameters.length)
    for sentence in sentences(report, cleaning.min_rating):
        logger.info("%s", sentence)
    return lists, lists, report


def sentences(report: Mapping[str, Any], min_rating: float | None = None) -> list[str]:
    """Return the report of a scored file in words, what is 0 left out."""
    said = [
        f"Lists for {_count(report['users'], 'user')}: {report['users_with_history_in_log']} by"
        f" their history in the log, {report['users_with_history_in_file']} by that in the file,"
        f" {report['users_unknown']} unknown."
    ]
    if report["unknown_items"]:
        shown = ", ".join(report["unknown_item_examples"])
        said.append(
            f"Ignored {_count(report['unknown_items'], 'item id')} that the catalogue does not"
            f" have, in {_count(report['rows_with_unknown_item'], 'row')}, such as {shown}."
        )
    if report["users_without_known_item"]:
        users = _count(report["users_without_known_item"], "user")
        said.append(f"No item in the catalogue for {users}: they get the list of an unknown user.")
    left_out = {
        "rows_without_user": "Left out {} without a user_id.",
        "rows_below_min_rating": f"Left out {{}} with a rating below {min_rating}.",
        "rows_without_positive_strength": "Left out {} without a strength above 0.",
        "rows_without_readable_time": "The time of {} cannot be read: counted as the oldest.",
    }
    said += [
        sentence.format(_count(report[name], "row"))
        for name, sentence in left_out.items()
        if report.get(name)
    ]
    if report["unused_columns"]:
        said.append(f"Columns not used: {', '.join(report['unused_columns'])}.")
    return said


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
