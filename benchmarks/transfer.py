"""Compare text neighbours by vectors adapted on other data sets with frozen and with own ones.

    python benchmarks/transfer.py ENVIRONMENT ENVIRONMENT [ENVIRONMENT ...]

Each environment, on which `kedro run` has been run with the same encoder, is the target once; the
adaptation is trained on all others, with and without it. On the test data of the target, with
text_knn_recent at its default parameters, as in adaptation.py.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from kedro.io import DataCatalog
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from adaptation import quality_of, read_truth

from longtail.arrays import Arrays
from longtail.pipelines.item_encoding.nodes import neighbours_of
from longtail.project import open_catalog
from longtail.text.adaptation import adapt_vectors
from longtail.text.item_tower import adapt_texts
from longtail.text.whitening import Whitening

Float = NDArray[np.float32]


@dataclass(frozen=True)
class Domain:
    """What the adaptation reads of a data set.

    Attributes:
        catalog: the datasets of its environment.
        embeddings: (n_items, d) vectors of the encoder.
        known: (n_items,) items with a text.
        trained: (n_items,) items with a text and interactions in the training period.
    """

    catalog: DataCatalog
    embeddings: Float
    known: NDArray[np.bool_]
    trained: NDArray[np.bool_]

    @classmethod
    def of(cls, env: str) -> "Domain":
        """Read the domain of an environment."""
        catalog = open_catalog(env)
        known = (catalog.load("item_texts")["text"] != "").to_numpy()
        trained = known & (catalog.load("training_histories").item_counts() > 0)
        return cls(catalog, catalog.load("item_embeddings")["embeddings"], known, trained)


def main() -> None:
    """Print one table for each target."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("environments", nargs="+")
    environments = parser.parse_args().environments
    domains = {env: Domain.of(env) for env in environments}
    for target in environments:
        sources = [domains[env] for env in environments if env != target]
        print(f"\n## {target}\n\n| vectors | NDCG | tail Recall | cold Recall |\n|---|--:|--:|--:|")
        for kind, vectors in compared_vectors(domains[target], sources).items():
            values = quality_on(domains[target], vectors)
            print(f"| {kind} | {' | '.join(f'{value:.4f}' for value in values)} |", flush=True)


def compared_vectors(target: Domain, sources: list[Domain]) -> dict[str, Float]:
    """Return the vectors of the target by kind."""
    parameters = target.catalog.load("params:item_encoding")
    strength, size = parameters.whitening_strength, parameters.dimensions
    pooled = np.concatenate([source.embeddings[source.trained] for source in sources])
    # One whitening for all, so that what is learned on some fits the vectors of the others.
    shared = Whitening.fit(pooled, strength, size)
    pieces = target.catalog.load("word_pieces")
    vectors = shared.apply(target.embeddings, target.known)

    def adapted_on(domains: list[Domain]) -> Float:
        adapted = adapt_texts(learn(domains, shared), vectors, pieces)
        return Whitening.fit(adapted[target.trained], strength, size).apply(adapted, target.known)

    return {
        "TF-IDF, frozen": target.catalog.load("tfidf_vectors")["vectors"],
        "language, frozen": target.catalog.load("language_vectors")["vectors"],
        "language, adapted on the others": adapted_on(sources),
        "language, adapted on all": adapted_on([*sources, target]),
        "language, adapted here": target.catalog.load("adapted_vectors")["vectors"],
    }


def learn(domains: list[Domain], shared: Whitening) -> Arrays:
    """Return what the adaptation learns on some data sets together.

    Relations hold within a data set alone; each data set has as many steps as alone.
    """
    adaptation = domains[0].catalog.load("params:item_encoding").adaptation
    steps = adaptation.steps * len(domains)
    load = [[d.catalog.load(name) for d in domains] for name in ("word_pieces", "item_relations")]
    vectors = np.concatenate([shared.apply(d.embeddings, d.known) for d in domains])
    pieces, relations = sp.csr_array(sp.vstack(load[0])), sp.csr_array(sp.block_diag(load[1]))
    parameters = adaptation.model_copy(update={"steps": steps})
    return adapt_vectors(vectors, pieces, relations, parameters)[2]


def quality_on(target: Domain, vectors: Float) -> list[float]:
    """Return NDCG, tail recall and cold recall of text neighbours on the target."""
    graph, _ = neighbours_of(vectors, target.catalog.load("params:item_encoding"))
    histories = target.catalog.load("past_histories")
    return quality_of(graph, histories, read_truth(target.catalog))


if __name__ == "__main__":
    main()
