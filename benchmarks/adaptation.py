"""Compare text neighbours by frozen and adapted vectors, of the language model and of TF-IDF.

    python benchmarks/adaptation.py ENVIRONMENT [ENVIRONMENT ...]

On the test data of each environment, on which `kedro run` has been run, with text_knn_recent at its
default parameters. Both kinds of vectors are adapted with the parameters of the environment.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from kedro.io import DataCatalog
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from longtail.behaviour.histories import Histories
from longtail.metrics.scoring import Cell, score_model
from longtail.metrics.tables import GroundTruth, ground_truth
from longtail.pipelines.item_encoding.nodes import adapt_to_behaviour, neighbours_of
from longtail.project import open_catalog
from longtail.recommenders.base import TrainingData
from longtail.recommenders.content.text_knn import RecentTextKNN
from longtail.recommenders.item_features import ItemFeatures
from longtail.recommenders.lists import recommend

K = 20


def main() -> None:
    """Print one table for each environment."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("environments", nargs="+")
    for env in parser.parse_args().environments:
        catalog = open_catalog(env)
        truth, parameters = read_truth(catalog), catalog.load("params:item_encoding")
        histories = catalog.load("past_histories")
        print(f"\n## {env}\n\n| vectors | NDCG | tail Recall | cold Recall |\n|---|--:|--:|--:|")
        for kind, vectors in all_vectors(catalog).items():
            graph, _ = neighbours_of(vectors, parameters)
            values = quality_of(graph, histories, truth)
            print(f"| {kind} | {' | '.join(f'{value:.4f}' for value in values)} |")


def read_truth(catalog: DataCatalog) -> GroundTruth:
    """Return what the users chose in the test period."""
    tables = ("test", "train", "validation")
    interactions = [catalog.load(f"{name}_interactions@pandas") for name in tables]
    return ground_truth(*interactions, catalog.load("item_groups"), catalog.load("user_groups"))


def all_vectors(catalog: DataCatalog) -> dict[str, NDArray[np.float32]]:
    """Return the vectors of all kinds; adapted TF-IDF vectors are computed here."""
    tfidf = catalog.load("tfidf_vectors")
    adapted_tfidf = adapt_to_behaviour(
        catalog.load("params:item_encoding"),
        tfidf,
        catalog.load("word_pieces"),
        catalog.load("item_texts"),
        catalog.load("training_histories"),
        catalog.load("item_relations"),
    )
    arrays = {
        "language, frozen": catalog.load("language_vectors"),
        "language, adapted": catalog.load("adapted_vectors"),
        "TF-IDF, frozen": tfidf,
        "TF-IDF, adapted": adapted_tfidf,
    }
    return {kind: array["vectors"] for kind, array in arrays.items()}


def quality_of(graph: sp.csr_array, histories: Histories, truth: GroundTruth) -> list[float]:
    """Return NDCG, tail recall and cold recall of text neighbours."""
    data = TrainingData(histories, ItemFeatures(text_neighbours=graph))
    model = RecentTextKNN()
    known = np.flatnonzero(np.isin(histories.user_ids, truth.user_ids.to_numpy()))
    known = known[histories.history_lengths()[known] > 0]
    lists = recommend(model, model.fit(data), data, known, K)
    cells = score_model(lists, truth, [K]).ranking
    wanted = (("ndcg", "all"), ("recall", "tail"), ("recall", "cold"))
    return [float(np.nanmean(cells[Cell(metric, K, group)])) for metric, group in wanted]


if __name__ == "__main__":
    main()
