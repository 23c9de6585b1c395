"""Time the evaluation of 100,000 top-100 lists and compare its plain metrics with irspack.

    python benchmarks/evaluation.py [--users 100000] [--items 10000] [--draws 10000]

Each task runs in a separate process on the same synthetic lists: "everything" computes all metrics
for all groups with bootstrap intervals; "longtail" and "irspack" compute recall, NDCG, precision,
hit rate, MAP, Gini, entropy and coverage at three list lengths, starting from the recommendation
table. irspack reads dense scores, which are built from the lists block by block. Prints wall-clock
and CPU seconds and peak memory, and fails if the two differ by more than rounding.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from irspack.evaluation.evaluator import Evaluator
from scipy import sparse

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from longtail.metrics import exposure
from longtail.metrics.leaderboard import Resampling, compare_models
from longtail.metrics.ranking import RANKING_METRICS, find_hits
from longtail.metrics.scoring import per_item_table, per_user_table, score_model
from longtail.metrics.tables import GroundTruth, ground_truth, ranked_lists

KS = (10, 20, 50)
LENGTH = 100
DIMENSIONS = 256
Results = dict[str, float]


def main() -> int:
    """Run the tasks one after the other and compare them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--draws", type=int, default=10_000)
    parser.add_argument("--alone", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.alone:
        print(json.dumps(run_alone(options)))
        return 0
    arguments = [f"--{name}={getattr(options, name)}" for name in ("users", "items", "draws")]
    results = {task: in_own_process(task, arguments) for task in TASKS}
    for task, result in results.items():
        before, peak = result["gb_before"], result["gb_peak"]
        print(
            f"{task:10s} {result['seconds']:6.1f} s ({result['cpu_seconds']:.1f} CPU s),"
            f" {peak:.2f} GB peak ({before:.2f} GB before)"
        )
    ours, theirs = results["longtail"]["values"], results["irspack"]["values"]
    ratio = results["irspack"]["seconds"] / results["longtail"]["seconds"]
    print(f"longtail takes 1/{ratio:.1f} of irspack's time for the same {len(ours)} numbers")
    differing = {name for name in ours if abs(ours[name] - theirs[name]) > 1e-6}
    for name in sorted(differing):
        print(f"{name}: {ours[name]} and {theirs[name]}")
    return int(bool(differing))


def in_own_process(task: str, arguments: list[str]) -> dict:
    """Run a task in a separate process and return its measurements."""
    command = [sys.executable, __file__, "--alone", task, *arguments]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def run_alone(options: argparse.Namespace) -> dict:
    """Generate the tables and run a task on them; return values, seconds and memory."""
    tables, recommendations, vectors = make_tables(options.users, options.items)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started, cpu_started = time.perf_counter(), time.process_time()
    values = TASKS[options.alone](tables, recommendations, vectors, options.draws)
    return {
        "values": values,
        "seconds": time.perf_counter() - started,
        "cpu_seconds": time.process_time() - cpu_started,
        "gb_before": before / 2**20,
        "gb_peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }


def make_tables(
    n_users: int, n_items: int
) -> tuple[dict[str, pd.DataFrame], pd.DataFrame, np.ndarray]:
    """Return synthetic tables of a split with a long tail, lists of 100 items and item vectors."""
    rng = np.random.default_rng(0)
    popularity = np.arange(1, n_items + 1) ** -0.8
    popularity /= popularity.sum()
    user_ids = pd.Index([f"user-{n:07d}" for n in range(n_users)])
    item_ids = pd.Index([f"item-{n:06d}" for n in range(n_items)])

    def pairs(per_user: int) -> pd.DataFrame:
        users = np.repeat(np.arange(n_users), per_user)
        items = rng.choice(n_items, len(users), p=popularity)
        table = pd.DataFrame({"user_id": user_ids[users], "item_id": item_ids[items]})
        return table.drop_duplicates(ignore_index=True)

    train, validation, test = pairs(8), pairs(1), pairs(4)
    counts = pd.concat([train, validation])["item_id"].value_counts()
    count = counts.reindex(item_ids, fill_value=0).to_numpy(copy=True)
    count[-n_items // 20 :] = 0
    group = np.where(count == 0, "cold", "tail")
    group[np.argsort(-count, kind="stable")[: (count > 0).sum() // 5]] = "head"
    user_group = np.where(rng.random(n_users) < 0.2, "active", "quiet")
    tables = {
        "test_interactions": test,
        "train_interactions": train,
        "validation_interactions": validation,
        "item_groups": pd.DataFrame(
            {"item_id": item_ids, "interaction_count": count, "item_group": group}
        ),
        "user_groups": pd.DataFrame({"user_id": user_ids, "user_group": user_group}),
    }
    # Popular items, with a different start and step for each user.
    step, start = rng.integers(1, 9, n_users), rng.geometric(0.02, n_users)
    items = (start[:, None] + step[:, None] * np.arange(LENGTH)) % n_items
    recommendations = pd.DataFrame(
        {
            "user_id": user_ids[np.repeat(np.arange(n_users), LENGTH)],
            "item_id": item_ids[items.ravel()],
            "rank": np.tile(np.arange(1, LENGTH + 1), n_users),
        }
    )
    vectors = rng.standard_normal((n_items, DIMENSIONS)).astype(np.float32)
    return tables, recommendations, vectors


def everything(
    tables: dict[str, pd.DataFrame], recommendations: pd.DataFrame, vectors: np.ndarray, draws: int
) -> Results:
    """Compute all metrics for all groups with intervals, as the evaluation pipeline does."""
    truth = ground_truth(**tables)
    scores = {"model": score_model(recommendations, truth, KS, vectors)}
    rows, _ = compare_models(scores, truth, "model", Resampling(draws, 0, 0.95))
    per_user, per_item = per_user_table(scores, truth), per_item_table(scores)
    return {"rows": len(rows), "per_user": len(per_user), "per_item": len(per_item)}


def longtail_metrics(
    tables: dict[str, pd.DataFrame], recommendations: pd.DataFrame, *_: object
) -> Results:
    """Compute the shared metrics."""
    truth = ground_truth(**tables)
    lists = ranked_lists(recommendations, truth)
    hits = find_hits(lists, truth)
    values = {}
    for k in KS:
        for name in ("recall", "ndcg", "precision", "hit_rate", "map"):
            per_user = RANKING_METRICS[name](hits, k)
            if name == "map":
                # irspack divides by |relevant|.
                per_user = per_user * np.minimum(hits.n_relevant, k) / hits.n_relevant
            values[f"{name}@{k}"] = float(per_user.mean())
        counts = exposure.exposure_counts(lists[:, :k], truth.n_items)
        values[f"gini@{k}"] = exposure.gini(counts)
        values[f"entropy@{k}"] = exposure.entropy(counts)
        values[f"catalog_coverage@{k}"] = exposure.catalog_coverage(counts)
    return values


def irspack_metrics(
    tables: dict[str, pd.DataFrame], recommendations: pd.DataFrame, *_: object
) -> Results:
    """Compute the shared metrics with irspack on two threads."""
    truth = ground_truth(**tables)
    lists = ranked_lists(recommendations, truth)
    relevant = sparse.csr_matrix(
        (np.ones(len(truth.relevant_pairs)), (truth.relevant_users, truth.relevant_items)),
        shape=(truth.n_users, truth.n_items),
    )
    evaluator = Evaluator(relevant, n_threads=2)
    found = evaluator.get_scores_from_score_chunks(_score_blocks(lists, truth), list(KS))
    names = {"hit": "hit_rate", "gini_index": "gini"}
    return {
        f"{names.get(name, name)}@{k}": float(value)
        for (name, k), value in ((key.split("@"), value) for key, value in found.items())
        if name not in ("total_user", "valid_user", "n_items", "appeared_item")
    }


def _score_blocks(lists: np.ndarray, truth: GroundTruth) -> Iterator[np.ndarray]:
    for start in range(0, len(lists), 512):
        block = lists[start : start + 512]
        scores = np.zeros((len(block), truth.n_items), dtype=np.float32)
        places = np.arange(block.shape[1], 0, -1, dtype=np.float32)
        np.put_along_axis(scores, block, np.broadcast_to(places, block.shape), axis=1)
        yield scores


TASKS: dict[str, Callable[..., Results]] = {
    "everything": everything,
    "longtail": longtail_metrics,
    "irspack": irspack_metrics,
}

if __name__ == "__main__":
    sys.exit(main())
