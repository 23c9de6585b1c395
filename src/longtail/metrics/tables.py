"""The evaluation tables as integer arrays, which all metrics work on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd

from longtail.errors import UserError

ITEM_GROUPS = ("head", "tail", "cold")
USER_GROUPS = ("active", "quiet", "new")
HEAD, TAIL, COLD = range(3)
NEW = USER_GROUPS.index("new")
NO_ITEM = -1


@dataclass(frozen=True)
class GroundTruth:
    """Test interactions, histories and groups of the evaluated users and the catalogue, as codes.

    A user's code is the index in ``user_ids``, an item's code the index in ``item_ids``.

    Attributes:
        user_ids: the evaluated users: all users with test interactions, sorted.
        item_ids: the whole catalogue, in catalogue order.
        user_group: int8 (n_users,), codes into ``USER_GROUPS``.
        item_group: int8 (n_items,), codes into ``ITEM_GROUPS``.
        interaction_count: int64 (n_items,), interactions before the test period.
        relevant_pairs: int64, sorted ``user * n_items + item`` of the distinct test pairs.
        history_pairs: int64, sorted ``user * n_items + item`` of the pairs before the test period.
        n_history_users: number of users with a history, evaluated or not.
        further_groups: bool (n_items,) masks of further item groups, by name; they may overlap.
    """

    user_ids: pd.Index
    item_ids: pd.Index
    user_group: np.ndarray
    item_group: np.ndarray
    interaction_count: np.ndarray
    relevant_pairs: np.ndarray
    history_pairs: np.ndarray
    n_history_users: int
    further_groups: Mapping[str, np.ndarray] = field(default_factory=dict)

    @property
    def n_users(self) -> int:
        """Number of evaluated users."""
        return len(self.user_ids)

    @property
    def n_items(self) -> int:
        """Number of items in the catalogue."""
        return len(self.item_ids)

    @property
    def has_history(self) -> np.ndarray:
        """Bool (n_users,): users with a history, over whom overall values are averaged."""
        known: np.ndarray = self.user_group != NEW
        return known

    @property
    def relevant_users(self) -> np.ndarray:
        """User code of every relevant pair."""
        return self.relevant_pairs // self.n_items

    @property
    def relevant_items(self) -> np.ndarray:
        """Item code of every relevant pair."""
        return self.relevant_pairs % self.n_items

    @property
    def history_users(self) -> np.ndarray:
        """User code of every pair before the test period."""
        return self.history_pairs // self.n_items

    @property
    def history_items(self) -> np.ndarray:
        """Item code of every pair before the test period."""
        return self.history_pairs % self.n_items

    @cached_property
    def history_by_group(self) -> np.ndarray:
        """Int64 (n_users, 3): number of items of each group in the user's history."""
        cells = self.history_users * len(ITEM_GROUPS) + self.item_group[self.history_items]
        counts = np.bincount(cells, minlength=self.n_users * len(ITEM_GROUPS))
        return counts.reshape(self.n_users, len(ITEM_GROUPS))


def encode(values: pd.Series, index: pd.Index) -> np.ndarray:
    """Return the position of every value in the index, -1 where it is missing (int64)."""
    codes, distinct = pd.factorize(values)
    return index.get_indexer(pd.Index(distinct))[codes]


def ground_truth(
    test_interactions: pd.DataFrame,
    train_interactions: pd.DataFrame,
    validation_interactions: pd.DataFrame,
    item_groups: pd.DataFrame,
    user_groups: pd.DataFrame,
    further_groups: Mapping[str, np.ndarray] | None = None,
) -> GroundTruth:
    """Encode the tables of a split.

    Args:
        test_interactions: user_id, item_id; duplicate pairs count once.
        train_interactions: user_id, item_id.
        validation_interactions: user_id, item_id.
        item_groups: item_id, interaction_count, item_group; the whole catalogue.
        user_groups: user_id, user_group; at least every user of the test interactions.
        further_groups: bool (n_items,) masks of further item groups in the order of the catalogue.

    Raises:
        UserError: if the item or user of a test interaction is not in the group tables, or a
            group name is unknown.
    """
    item_ids = pd.Index(item_groups["item_id"])
    user_ids = pd.Index(np.sort(test_interactions["user_id"].unique()))
    items = encode(test_interactions["item_id"], item_ids)
    _require_known(items, test_interactions["item_id"], "test_interactions", "item_groups")
    group_rows = pd.Index(user_groups["user_id"]).get_indexer(user_ids)
    _require_known(group_rows, user_ids.to_series(), "test_interactions", "user_groups")
    item_group = _group_codes(item_groups["item_group"], ITEM_GROUPS, "item_groups")
    user_group = _group_codes(user_groups["user_group"], USER_GROUPS, "user_groups")
    users = encode(test_interactions["user_id"], user_ids)
    history = [
        _known_pairs(table, user_ids, item_ids)
        for table in (train_interactions, validation_interactions)
    ]
    return GroundTruth(
        user_ids=user_ids,
        item_ids=item_ids,
        user_group=user_group[group_rows],
        item_group=item_group,
        interaction_count=item_groups["interaction_count"].to_numpy(np.int64),
        relevant_pairs=np.unique(users * len(item_ids) + items),
        history_pairs=np.unique(np.concatenate(history)),
        n_history_users=int((user_group != NEW).sum()),
        further_groups=further_groups or {},
    )


def ranked_lists(recommendations: pd.DataFrame, truth: GroundTruth) -> np.ndarray:
    """Return the lists of the evaluated users as item codes, best first.

    Args:
        recommendations: user_id, item_id, rank, in any order. Users who are not evaluated are
            ignored.
        truth: the encoded ground truth.

    Returns:
        int32 (n_users, longest list), ``NO_ITEM`` after the end of a list; users without rows have
        an empty list.

    Raises:
        UserError: if an item is not in the catalogue, or a list has an item or a rank twice.
    """
    users = encode(recommendations["user_id"], truth.user_ids)
    items = encode(recommendations["item_id"], truth.item_ids)
    _require_known(items, recommendations["item_id"], "recommendations", "item_groups")
    ranks = recommendations["rank"].to_numpy()
    if not _is_sorted(users, ranks):
        order = np.lexsort((ranks, users))
        users, items, ranks = users[order], items[order], ranks[order]
    first = np.searchsorted(users, 0)
    users, items, ranks = users[first:], items[first:], ranks[first:]
    if bool(((np.diff(users) == 0) & (np.diff(ranks) == 0)).any()):
        raise UserError(
            "A recommendation list has the same rank twice; ranks must be 1, 2, 3 and so on."
        )
    lengths = np.bincount(users, minlength=truth.n_users)
    starts = np.cumsum(lengths) - lengths
    lists = np.full((truth.n_users, max(int(lengths.max(initial=0)), 1)), NO_ITEM, dtype=np.int32)
    lists[users, np.arange(len(users)) - starts[users]] = items
    _require_distinct(lists, truth)
    return lists


def padded(item_values: np.ndarray, fill: float) -> np.ndarray:
    """Append one entry to per-item values, so that indexing with ``NO_ITEM`` returns ``fill``."""
    return np.append(item_values, np.asarray(fill, dtype=item_values.dtype))


def _is_sorted(users: np.ndarray, ranks: np.ndarray) -> bool:
    steps = np.diff(users)
    return bool(((steps > 0) | ((steps == 0) & (np.diff(ranks) >= 0))).all())


def _require_known(codes: np.ndarray, values: pd.Series, table: str, reference: str) -> None:
    unknown = codes < 0
    if unknown.any():
        column = reference.removesuffix("_groups") + "_id"
        raise UserError(
            f"{table}, column {column}: {int(unknown.sum())} rows have an id that is not in"
            f" {reference}, for example {values[unknown].iloc[0]!r}. Both must come from the same"
            " run of behaviour_cleaning: run that pipeline and the models again."
        )


def _require_distinct(lists: np.ndarray, truth: GroundTruth) -> None:
    ordered = np.sort(lists, axis=1)
    repeated = ((np.diff(ordered, axis=1) == 0) & (ordered[:, 1:] != NO_ITEM)).any(axis=1)
    if repeated.any():
        user = truth.user_ids[np.flatnonzero(repeated)[0]]
        raise UserError(
            f"recommendations: the list of user {user!r} has an item twice, so a hit would count"
            " twice. A model must recommend each item at most once."
        )


def _group_codes(groups: pd.Series, names: tuple[str, ...], table: str) -> np.ndarray:
    codes = pd.Index(names).get_indexer(pd.Index(groups))
    if (codes < 0).any():
        raise UserError(f"{table}: the group must be one of {', '.join(names)} in every row.")
    return codes.astype(np.int8)


def _known_pairs(interactions: pd.DataFrame, user_ids: pd.Index, item_ids: pd.Index) -> np.ndarray:
    users = encode(interactions["user_id"], user_ids)
    items = encode(interactions["item_id"], item_ids)
    known = (users >= 0) & (items >= 0)
    codes: np.ndarray = users[known] * len(item_ids) + items[known]
    return codes
