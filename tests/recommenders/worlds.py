"""Small fabricated worlds in which the right answer is known."""

from dataclasses import replace

import numpy as np
import pandas as pd

from longtail.behaviour.histories import Histories, build_histories
from longtail.item_graphs.graphs import nearest_by_cosine
from longtail.recommenders.base import TrainingData
from longtail.recommenders.item_features import ItemFeatures
from longtail.text.whitening import unit_length


def tiny_data() -> TrainingData:
    """u1 has b then a, u2 has a ... c; u3 is new; d is new and reads like c."""
    rows = [("u1", "b", 1), ("u1", "a", 2), ("u2", "a", 1), ("u2", "b", 2), ("u2", "c", 3)]
    table = pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"]).assign(weight=1.0)
    histories = build_histories(
        table, np.array(["u1", "u2", "u3"], dtype=object), np.array(list("abcd"), dtype=object)
    )
    vectors = unit_length(np.array([[1, 0, 0.1], [1, 0.2, 0], [0, 1, 0], [0, 1, 0.1]], dtype="f4"))
    return TrainingData(histories, ItemFeatures(vectors, nearest_by_cosine(vectors, 100)))


def with_items(data: TrainingData, **features: object) -> TrainingData:
    """Return the data with some features of the items replaced."""
    return replace(data, items=replace(data.items, **features))


def taste_world(
    n_users: int, n_items: int, share: float, new_items: int = 0, seed: int = 0
) -> TrainingData:
    """Even users like even items, odd users odd items; the text of an item shows its kind.

    Args:
        n_users: users.
        n_items: items with interactions.
        share: share of the liked items that a user has; 1 gives every user every item.
        new_items: further items without interactions.
        seed: seed of the histories.
    """
    generator = np.random.default_rng(seed)
    user, item = np.meshgrid(np.arange(n_users), np.arange(n_items), indexing="ij")
    liked = (user % 2 == item % 2) & (generator.random(user.shape) < share)
    chosen = np.ones_like(liked) if share == 1 else liked
    pairs = np.argwhere(chosen)
    return TrainingData(
        histories_of(pairs, n_users, n_items + new_items),
        ItemFeatures(*_texts(n_items + new_items)),
    )


def histories_of(pairs: np.ndarray, n_users: int, n_items: int) -> Histories:
    """Return pairs of indices as histories whose time is the order of the rows."""
    users = np.array([f"u{number:03}" for number in range(n_users)], dtype=object)
    items = np.array([f"i{number:03}" for number in range(n_items)], dtype=object)
    table = pd.DataFrame(
        {
            "user_id": users[pairs[:, 0]],
            "item_id": items[pairs[:, 1]],
            "timestamp": np.arange(len(pairs)) + 1_000_000_000,
            "weight": 1.0,
        }
    )
    return build_histories(table, users, items)


def _texts(n_items: int) -> tuple[np.ndarray, object]:
    kind = np.arange(n_items) % 2
    noise = np.random.default_rng(1).normal(scale=0.1, size=(n_items, 4))
    vectors = unit_length((np.eye(4)[kind] + noise).astype(np.float32))
    return vectors, nearest_by_cosine(vectors, 100)
