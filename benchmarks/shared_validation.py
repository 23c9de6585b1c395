"""Measure what it costs that all choices are made on the same validation users.

    python benchmarks/shared_validation.py [--env demo]

Reads a finished run. For the trials of every source, for the frozen and adapted vectors and for
the values of the tail emphasis, random halves of the validation users choose by NDCG@k, and the
chosen setting is compared on both halves. Prints the NDCG of the best setting on all validation
users and the optimism, in NDCG and in per cent of it.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from longtail.hybrid.candidates import best_rows, propose
from longtail.hybrid.features import candidate_lists
from longtail.hybrid.fitting import cross_fitted_scores
from longtail.hybrid.parameters import HybridParameters
from longtail.hybrid.tail_emphasis import contains
from longtail.item_graphs.nearest import find_neighbours
from longtail.pipelines.item_encoding.params import ItemEncodingParameters
from longtail.project import open_catalog
from longtail.recommenders.base import TrainingData
from longtail.recommenders.content.text_knn import RecentTextKNN
from longtail.recommenders.fitted_model import applicable
from longtail.recommenders.item_features import ItemFeatures
from longtail.recommenders.registry import MODELS
from longtail.recommenders.validation import (
    ValidationTargets,
    discounts,
    ndcg_by_user,
    normalised,
    validation_targets,
)
from longtail.studies.optimism import optimism
from longtail.tuning.search import TuningParameters

Values = NDArray[np.float64]


def main() -> None:
    """Print one line for each choice."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--env")
    catalog = open_catalog(parser.parse_args().env)
    tuning = TuningParameters.model_validate(catalog.load("params:tuning"))
    hybrid = HybridParameters.model_validate(catalog.load("params:hybrid"))
    encoding = ItemEncodingParameters.model_validate(catalog.load("params:item_encoding"))
    training = catalog.load("training_histories")
    held_out = catalog.load("validation_histories").matrix()
    data = TrainingData(training, catalog.load("item_features"), tuning.seed)
    targets = validation_targets(training, held_out, tuning.max_users, tuning.seed)
    print(f"{len(targets.users)} validation users; NDCG@{tuning.k}, optimism")

    kinds = [catalog.load(f"{kind}_vectors")["vectors"] for kind in ("language", "adapted")]
    show(
        "frozen or adapted vectors",
        np.stack([of_vectors(z, encoding, data, targets, tuning.k) for z in kinds]),
    )
    for name in hybrid.sources:
        values = []
        for trial in catalog.load(f"{name}_trials"):
            setting = MODELS[name](**trial["parameters"])
            values.append(ndcg_by_user(setting, setting.fit(data), data, targets, tuning.k))
        if values:
            show(f"{name}, {len(values)} trials", np.stack(values))
    models = {name: catalog.load(f"{name}_validation_model") for name in hybrid.sources}
    candidates = propose(applicable(models, hybrid.sources), data, targets.users, hybrid)
    lists = candidate_lists(candidates, training, hybrid)
    relevant = contains(targets.relevant, candidates.rows, candidates.items)
    scores = cross_fitted_scores(lists, relevant, hybrid.gate, tuning.seed)
    popularity = np.log1p(training.item_counts())[candidates.items]
    values = []
    for emphasis in hybrid.tail_emphasis_grid:
        best, rank = best_rows(candidates, scores - emphasis * popularity, tuning.k)
        hit = relevant[best]
        gains = np.bincount(
            candidates.rows[best][hit], discounts(tuning.k)[rank[hit] - 1], len(targets.users)
        )
        values.append(normalised(gains, targets.relevant, tuning.k))
    show("tail emphasis", np.stack(values))


def of_vectors(
    vectors: NDArray[np.float32],
    encoding: ItemEncodingParameters,
    data: TrainingData,
    targets: ValidationTargets,
    k: int,
) -> Values:
    """Return the NDCG of each user by the text neighbours of some vectors."""
    graph, _ = find_neighbours(vectors, encoding.neighbours, encoding.exact_neighbours_up_to)
    with_graph = TrainingData(data.histories, ItemFeatures(text_neighbours=graph))
    model = RecentTextKNN()
    return ndcg_by_user(model, model.fit(with_graph), with_graph, targets, k)


def show(choice: str, values: Values) -> None:
    """Print the best mean of (n_settings, n_users) values and the optimism of the choice."""
    best, more = values.mean(axis=1).max(), optimism(values)
    print(f"{choice:32s} {best:.4f} {more:+.5f} ({more / best:+.1%})", flush=True)


if __name__ == "__main__":
    main()
