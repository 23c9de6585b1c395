"""Write a large synthetic shop log in the two-file layout.

    python benchmarks/generate_log.py FOLDER --rows 1000000 [--users 25000] [--items 5000]

Item popularity follows a power law within clusters, user activity is log-normal; items appear over
time, and their texts use the words of their cluster. A few per cent of the rows have the usual
defects: duplicates, double clicks, unknown items, missing ids, impossible times.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pc

N_CLUSTERS = 20
WORDS_PER_CLUSTER = 40
START = 1_577_836_800
DURATION = 2 * 365 * 86_400
CHUNK = 1_000_000
EVENTS = np.array(["view", "add_to_cart", "purchase", "return"], dtype=object)
SHARES = (0.82, 0.1, 0.07, 0.01)


def main() -> None:
    """Write interactions.csv and items.csv."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--users", type=int, help="one in 40 rows by default")
    parser.add_argument("--items", type=int, help="one in 200 rows by default")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    write_log(options.folder, options.rows, options.seed, options.users, options.items)
    print(f"{options.rows} rows in {options.folder}")


def write_log(
    folder: Path, n_rows: int, seed: int, n_users: int | None = None, n_items: int | None = None
) -> None:
    """Write both files in chunks of bounded memory."""
    random = np.random.default_rng(seed)
    n_users, n_items = n_users or max(200, n_rows // 40), n_items or max(400, n_rows // 200)
    born = np.where(random.random(n_items) < 0.3, random.uniform(0, 0.95, n_items), 0.0)
    activity = random.lognormal(0.0, 1.2, n_users)
    cumulated = np.cumsum(activity / activity.sum())
    tastes = random.integers(0, N_CLUSTERS, (n_users, 3))
    _items(n_items, random).to_csv(folder / "items.csv", index=False)
    with pa.OSFile(str(folder / "interactions.csv"), "wb") as sink:
        writer = None
        for start in range(0, n_rows, CHUNK):
            n = min(CHUNK, n_rows - start)
            table = pa.table(_events(n, cumulated, tastes, born, random))
            writer = writer or pc.CSVWriter(sink, table.schema)
            writer.write_table(table)
        writer.close()


def _events(
    n: int,
    cumulated: np.ndarray,
    tastes: np.ndarray,
    born: np.ndarray,
    random: np.random.Generator,
) -> dict[str, pa.Array]:
    users = np.searchsorted(cumulated, random.random(n)).clip(0, len(cumulated) - 1)
    clusters = tastes[users, random.choice(3, n, p=(0.6, 0.3, 0.1))]
    per_cluster = len(born) // N_CLUSTERS
    # The inverse of the cumulated power law with exponent 1: rank = size ** u.
    ranks = (per_cluster ** random.random(n)).astype(np.int64) - 1
    items = ranks * N_CLUSTERS + clusters
    moments = born[items] + (1 - born[items]) * random.random(n)
    times = START + (moments * DURATION).astype(np.int64)
    events = random.choice(len(EVENTS), n, p=SHARES)
    # Rows copied from the one before: exactly, or a second later.
    copies = np.flatnonzero(random.random(n - 1) < 0.03) + 1
    copies = copies[np.diff(copies, prepend=-1) > 1]
    for column in (users, items, times, events):
        column[copies] = column[copies - 1]
    times[copies[::3]] += 1
    user_ids = pa.array(np.char.add("u", users.astype("U9")).astype(object))
    item_ids = np.char.add("i", items.astype("U9")).astype(object)
    item_ids[random.random(n) < 0.002] = "gone"
    times[random.random(n) < 0.001] = 0
    return {
        "user_id": pa.array(user_ids, mask=random.random(n) < 0.001),
        "item_id": pa.array(item_ids),
        "event_type": pa.array(EVENTS[events]),
        "timestamp": pa.array(times),
    }


def _items(n_items: int, random: np.random.Generator) -> pd.DataFrame:
    """Return items whose titles and descriptions use the words of their cluster."""
    syllables = np.array(["ka", "lo", "mi", "ren", "tu", "sa", "vel", "dor", "pi", "gan"])
    parts = syllables[random.integers(0, len(syllables), (3, N_CLUSTERS * WORDS_PER_CLUSTER))]
    words = np.char.add(np.char.add(parts[0], parts[1]), parts[2])
    words = words.reshape(N_CLUSTERS, WORDS_PER_CLUSTER)
    clusters = np.arange(n_items) % N_CLUSTERS
    chosen = words[clusters[:, None], random.integers(0, WORDS_PER_CLUSTER, (n_items, 10))]
    return pd.DataFrame(
        {
            "item_id": [f"i{i}" for i in range(n_items)],
            "title": [" ".join(row[:3]) for row in chosen],
            "description": [f"<p>{' '.join(row[3:])} &amp; more</p>" for row in chosen],
            "categories": [f"cluster {c}" for c in clusters],
            "price": np.round(random.lognormal(3, 0.8, n_items), 2),
        }
    )


if __name__ == "__main__":
    main()
