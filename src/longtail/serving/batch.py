"""Requests of a file: ids of users, or their histories."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from longtail.errors import UserError
from longtail.serving.hybrid import USERS_AT_ONCE, Request, ServedHybrid

READ = ("user_id", "item_id", "timestamp", "rating", "strength")
# Ids that a report names.
MOST_NAMED = 5


@dataclass(frozen=True)
class Batch:
    """The requests of a file.

    Attributes:
        requests: one for each user, in the order of the file.
        report: counts of rows that were read and left out.
        unused: columns that are not read.
    """

    requests: list[Request]
    report: dict[str, int]
    unused: list[str] = field(default_factory=list)


def read_batch(table: pd.DataFrame, min_rating: float | None = None) -> Batch:
    """Read users, with a history where the file gives one.

    Args:
        table: strings: user_id; item_id, for histories, one row for each item; timestamp, which
            orders a history (else the file does); rating, below ``min_rating`` not a choice;
            strength, the weight of an item in the unit of the log's weights.
        min_rating: rows with a lower rating are left out; None: no row is.

    Raises:
        UserError: there is no column user_id.
    """
    if "user_id" not in table:
        found = ", ".join(map(str, table.columns))
        raise UserError(f"The file to score needs a column user_id; it has {found}.")
    rows = table[[name for name in READ if name in table]].fillna("").astype(str)
    rows = rows.apply(lambda column: column.str.strip())
    report = {"rows": len(rows), "rows_without_user": int((rows["user_id"] == "").sum())}
    rows = rows[rows["user_id"] != ""].reset_index(drop=True)
    unused = [str(name) for name in table.columns if name not in READ]
    users = rows["user_id"].drop_duplicates().tolist()
    if "item_id" not in rows:
        return Batch([Request(user) for user in users], report, unused)
    rows, left_out = _chosen(rows[rows["item_id"] != ""], min_rating)
    report |= left_out
    histories = {
        user: Request(
            str(user),
            own["item_id"].tolist(),
            weights=own["strength"].tolist() if "strength" in own else None,
        )
        for user, own in rows.groupby("user_id", sort=False)
    }
    return Batch([histories.get(user, Request(user)) for user in users], report, unused)


def _chosen(rows: pd.DataFrame, min_rating: float | None) -> tuple[pd.DataFrame, dict[str, int]]:
    """Return the rows that are choices, in the order of time, and how many were left out."""
    report = {}
    if "rating" in rows and min_rating is not None:
        rating = pd.to_numeric(rows["rating"], errors="coerce")
        # As in the cleaning: a row without a rating is another kind of behaviour.
        low = rating < min_rating
        report["rows_below_min_rating"] = int(low.sum())
        rows = rows[~low]
    if "strength" in rows:
        strength = pd.to_numeric(rows["strength"], errors="coerce")
        usable = np.isfinite(strength) & (strength > 0)
        report["rows_without_positive_strength"] = int((~usable).sum())
        rows = rows.assign(strength=strength)[usable]
    if "timestamp" in rows:
        times = _times(rows["timestamp"])
        report["rows_without_readable_time"] = int(times.isna().sum())
        order = np.argsort(times.fillna(-np.inf).to_numpy(), kind="stable")
        rows = rows.iloc[order]
    return rows, report


def _times(column: pd.Series) -> pd.Series:
    """Return times as float64, comparable within the column; NaN where they cannot be read."""
    numbers = pd.to_numeric(column, errors="coerce")
    if numbers.notna().any():
        return numbers.astype(np.float64)
    dates = pd.to_datetime(column, errors="coerce", utc=True, format="ISO8601")
    seconds = (dates - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(seconds=1)
    return seconds.astype(np.float64)


def score_batch(
    served: ServedHybrid, batch: Batch, length: int
) -> tuple[pd.DataFrame, dict[str, int | list[str]]]:
    """Return the lists of a batch, as the served model answers, and what was found in it.

    Args:
        served: the hybrid.
        batch: the requests of a file.
        length: items in each list.

    Returns:
        user_id, known (whether the log has the user), rank, item_id, title, score, reason; and a
        report: counts of users, and of items that the catalogue does not have.
    """
    requests, parts = batch.requests, []
    for start in range(0, len(requests), USERS_AT_ONCE):
        block = requests[start : start + USERS_AT_ONCE]
        ids = np.array([request.user_id for request in block], dtype=object)
        lists = served.answer(block, length)
        parts.append(lists.assign(user_id=ids[lists["request"].to_numpy()]))
    columns = ["user_id", "known", "rank", "item_id", "title", "score", "reason"]
    lists = pd.concat(parts)[columns] if parts else pd.DataFrame(columns=columns)
    given = [item for request in requests for item in request.item_ids or ()]
    unknown = served.unknown_items(given)
    missing = set(unknown)
    with_items = [request for request in requests if request.item_ids]
    plain = [request.user_id for request in requests if not request.item_ids]
    n_known = int(served.in_log(plain).sum())
    report: dict[str, int | list[str]] = {
        **batch.report,
        "users": len(requests),
        "users_with_history_in_file": len(with_items),
        "users_with_history_in_log": n_known,
        "users_unknown": len(plain) - n_known,
        "users_without_known_item": sum(
            missing.issuperset(request.item_ids or ()) for request in with_items
        ),
        "rows_with_unknown_item": sum(item in missing for item in given),
        "unknown_items": len(unknown),
        "unknown_item_examples": unknown[:MOST_NAMED],
        "unused_columns": batch.unused,
    }
    return lists.reset_index(drop=True), report
