"""Compare the speed of encoders with sentence-transformers and with TF-IDF.

    python benchmarks/encoding.py FOLDER [--texts 1000] [--encoders minilm mpnet ...]

FOLDER holds an `items` file in the two-file layout. Every encoder encodes the same random texts
after a warm-up: as a run does, and with the default `encode` of sentence-transformers on the same
weights, both cut at the same number of tokens. Then a run reads what it finds in its cache. Prints
seconds per thousand texts, what each is to sentence-transformers and to TF-IDF with SVD, and the
lowest cosine of the two vectors of a text.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd
from sentence_transformers import SentenceTransformer

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))

from longtail.datasets.source_table import SourceTableDataset  # noqa: E402
from longtail.pipelines.item_encoding.nodes import encode_new_texts  # noqa: E402
from longtail.pipelines.item_encoding.params import ItemEncodingParameters  # noqa: E402
from longtail.text.encoder import UNIVERSAL, TextEncoder  # noqa: E402
from longtail.text.encoder_parameters import EncoderParameters  # noqa: E402
from longtail.text.item_text import compose_item_text  # noqa: E402
from longtail.text.tfidf import tfidf_vectors  # noqa: E402
from longtail.text.weights import pretrained  # noqa: E402

TEXT = ItemEncodingParameters()
ENCODERS = ["minilm", "mpnet"]
Result = TypeVar("Result")


def main() -> None:
    """Draw texts, encode them in every way and print the times."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--texts", type=int, default=1000)
    parser.add_argument("--encoders", nargs="+", default=ENCODERS)
    arguments = parser.parse_args()
    texts = read_texts(arguments.folder, arguments.texts)
    print(f"{len(texts)} texts, {texts.str.len().mean():.0f} characters on average")
    known = texts.map(bool).to_numpy()
    tfidf, _ = timed(lambda: tfidf_vectors(texts, known, TEXT.dimensions, 0))
    report("TF-IDF", len(texts), tfidf)
    for name in arguments.encoders:
        compare(name, texts, tfidf)


def compare(name: str, texts: pd.Series, tfidf: float) -> None:
    """Encode the texts as a run does, with sentence-transformers, and from a run's cache."""
    encoder = TextEncoder(EncoderParameters(model=name))
    encoder.encode(texts[:8].tolist())
    seconds, vectors = timed(lambda: encoder.encode(texts.tolist()))
    times = {f"{name}, a run": seconds}
    folder, gguf_file = pretrained(encoder.location)
    # sentence-transformers alone reads neither GGUF files nor the Universal Sentence Encoder.
    if not gguf_file and not (Path(folder) / UNIVERSAL).exists():
        rival = SentenceTransformer(folder)
        rival.max_seq_length = encoder.model.max_seq_length
        rival.encode(texts[:8].tolist())
        rival_seconds, others = timed(lambda: rival.encode(texts.tolist()))
        others /= np.linalg.norm(others, axis=1, keepdims=True)
        times[f"{name}, sentence-transformers"] = rival_seconds
        print(
            f"{name}, a run against sentence-transformers: {rival_seconds / seconds:.1f} times as"
            f" fast, cosine at least {(vectors * others).sum(axis=1).min():.4f}"
        )
    table = pd.DataFrame({"text": texts, "key": encoder.text_keys(texts)})
    cached = pd.DataFrame({"key": table["key"], "vector": list(vectors)})
    parameters = ItemEncodingParameters(encoder=encoder.parameters)
    times[f"{name}, a run with its cache"], _ = timed(
        lambda: encode_new_texts(table, table[:0], cached, parameters)
    )
    for way, taken in times.items():
        report(way, len(texts), taken, {"TF-IDF": tfidf, "a run": seconds})


def read_texts(folder: Path, n_texts: int) -> pd.Series:
    """Return the texts of random items that have one."""
    items = SourceTableDataset(folder=str(folder.resolve()), stem="items").load().to_pandas()
    items = items.reindex(columns=list(TEXT.fields)).fillna("").astype(str)
    texts = compose_item_text(items, TEXT.fields, TEXT.max_characters)
    texts = texts[texts != ""]
    return texts.sample(min(n_texts, len(texts)), random_state=0)


def timed(call: Callable[[], Result]) -> tuple[float, Result]:
    """Return the seconds that a call took, and its result."""
    started = time.perf_counter()
    result = call()
    return time.perf_counter() - started, result


def report(way: str, n_texts: int, seconds: float, others: dict[str, float] | None = None) -> None:
    """Print one line: seconds per thousand texts and the ratios to other ways."""
    ratios = [f"{seconds / other:9.3g} x {name}" for name, other in (others or {}).items()]
    print(f"{way:40} {1000 * seconds / n_texts:9.3f} s/1000 {''.join(ratios)}")


if __name__ == "__main__":
    main()
