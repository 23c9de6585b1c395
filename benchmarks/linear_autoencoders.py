"""Compare the exact with the sparse form of EASE, RLAE and L3AE.

    LONGTAIL_DATA=FOLDER kedro run --pipelines=behaviour_cleaning,item_encoding
    python benchmarks/linear_autoencoders.py [--env ENV] [--neighbours 50 100 200]

Fits each model with its default hyper-parameters on the training period of the newest run and
prints the NDCG@20 on validation, the seconds of the fit and the megabytes of the fitted arrays. The
exact form needs four bytes for each pair of items.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from longtail.project import open_catalog
from longtail.recommenders.base import TrainingData
from longtail.recommenders.registry import MODELS
from longtail.recommenders.validation import ValidationTargets, validation_ndcg, validation_targets

COMPARED = ("ease", "ease_recent", "rlae", "l3ae", "l3ae_neighbours")
K, USERS, SEED = 20, 4000, 42


def main() -> None:
    """Load the newest run's histories and features and compare the forms."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--env", default="base")
    parser.add_argument("--neighbours", type=int, nargs="+", default=[50, 100, 200])
    options = parser.parse_args()
    catalog = open_catalog(env=options.env)
    histories = catalog.load("training_histories")
    held_out = catalog.load("validation_histories").matrix()
    targets = validation_targets(histories, held_out, USERS, SEED)
    compare(TrainingData(histories, catalog.load("item_features")), targets, options.neighbours)


def compare(data: TrainingData, targets: ValidationTargets, neighbours: list[int]) -> None:
    """Print one line for each model and form."""
    warm = np.count_nonzero(data.histories.item_counts())
    print(f"{warm:,} items with interactions, {len(targets.users):,} validation users")
    forms = {"exact": {"exact_up_to": warm}} | {
        f"sparse, {n}": {"exact_up_to": 0, "inverse_neighbours": n} for n in neighbours
    }
    for name in COMPARED:
        for form, settings in forms.items():
            model = MODELS[name](**settings)
            start = time.perf_counter()
            arrays = model.fit(data)
            seconds = time.perf_counter() - start
            quality = validation_ndcg(model, arrays, data, targets, K)
            size = sum(array.nbytes for array in arrays.values()) / 1e6
            print(f"{name:16} {form:12} NDCG {quality:.4f} {seconds:6.1f} s {size:7.1f} MB")


if __name__ == "__main__":
    main()
