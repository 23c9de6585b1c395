"""Compare the speed of encoders on the texts of a catalogue.

    python benchmarks/encoding.py FOLDER [--texts 1000] [--encoders minilm mpnet ...]

FOLDER holds an `items` file in the two-file layout. Every encoder encodes the same random texts
after a warm-up; TF-IDF with SVD is the reference. Prints dimensions, seconds per thousand texts and
the ratio to TF-IDF.
"""

import argparse
import sys
import time
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))

from longtail.datasets.source_table import SourceTableDataset  # noqa: E402
from longtail.pipelines.item_encoding.params import ItemEncodingParameters  # noqa: E402
from longtail.text.encoder import TextEncoder  # noqa: E402
from longtail.text.encoder_parameters import EncoderParameters  # noqa: E402
from longtail.text.item_text import compose_item_text  # noqa: E402
from longtail.text.tfidf import tfidf_vectors  # noqa: E402

TEXT = ItemEncodingParameters()
ENCODERS = ["minilm", "mpnet", "use_multilingual"]


def main() -> None:
    """Draw texts, encode them with each encoder and print the times."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--texts", type=int, default=1000)
    parser.add_argument("--encoders", nargs="+", default=ENCODERS)
    arguments = parser.parse_args()
    texts = read_texts(arguments.folder, arguments.texts)
    print(f"{len(texts)} texts, {texts.str.len().mean():.0f} characters on average")
    seconds, dimensions = time_tfidf(texts)
    report("TF-IDF", dimensions, seconds, seconds, len(texts))
    for name in arguments.encoders:
        encoder = TextEncoder(EncoderParameters(model=name))
        encoder.encode(texts[:8].tolist())
        started = time.perf_counter()
        vectors = encoder.encode(texts.tolist())
        taken = time.perf_counter() - started
        report(f"{name} ({encoder.dtype})", vectors.shape[1], taken, seconds, len(texts))


def read_texts(folder: Path, n_texts: int) -> pd.Series:
    """Return the texts of random items that have one."""
    items = SourceTableDataset(folder=str(folder.resolve()), stem="items").load().to_pandas()
    items = items.reindex(columns=list(TEXT.fields)).fillna("").astype(str)
    texts = compose_item_text(items, TEXT.fields, TEXT.max_characters)
    texts = texts[texts != ""]
    return texts.sample(min(n_texts, len(texts)), random_state=0)


def time_tfidf(texts: pd.Series) -> tuple[float, int]:
    """Return seconds and dimensions of TF-IDF."""
    started = time.perf_counter()
    vectors = tfidf_vectors(texts, texts.map(bool).to_numpy(), TEXT.dimensions, 0)
    return time.perf_counter() - started, vectors.shape[1]


def report(name: str, dimensions: int, seconds: float, reference: float, n_texts: int) -> None:
    """Print one line."""
    per_thousand = 1000 * seconds / n_texts
    print(
        f"{name:50} {dimensions:5} {per_thousand:9.2f} s/1000 {seconds / reference:9.1f} x TF-IDF"
    )


if __name__ == "__main__":
    main()
