"""Small fabricated data and a tiny random encoder, to run the whole graph in seconds.

The behaviour covers what the pipelines depend on: a long tail, tastes that show in the item texts,
items and users that appear late, and repeated events.
"""

from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
from transformers import BertConfig, BertModel, BertTokenizer

from longtail.demo.drawing import draw_items, times
from longtail.demo.movielens import write

TASTES = {
    "garden": ("rose", "soil", "spade", "fern", "lawn", "seed"),
    "kitchen": ("pan", "spoon", "oven", "whisk", "bowl", "plate"),
    "music": ("drum", "flute", "chord", "violin", "choir", "tempo"),
    "space": ("comet", "orbit", "rocket", "lunar", "nebula", "probe"),
}
COMMON_WORDS = ("small", "large", "new", "old", "red", "blue")


def fabricate(
    n_users: int = 120, n_items: int = 80, seed: int = 0
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return interactions and items in the two-file layout."""
    random = np.random.default_rng(seed)
    taste_of_item = np.arange(n_items) % len(TASTES)
    born = np.where(random.random(n_items) < 0.1, random.uniform(0.85, 0.95, n_items), 0.0)
    popularity = (1.0 + random.permutation(n_items)) ** -0.8

    per_user = 8 + random.geometric(0.08, n_users)
    users = np.repeat(np.arange(n_users), per_user)
    first_seen = np.where(random.random(n_users) < 0.06, 0.92, random.uniform(0, 0.6, n_users))
    moments = random.uniform(first_seen[users], 1.0)
    tastes = random.dirichlet(np.full(len(TASTES), 0.3), n_users)

    weights = popularity * tastes[users][:, taste_of_item] * (born <= moments[:, None]) + 1e-9
    items = draw_items(weights, random)
    interactions = pd.DataFrame(
        {
            "user_id": [f"u{user:03}" for user in users],
            "item_id": [f"i{item:03}" for item in items],
            "event_type": "rating",
            "rating": random.integers(3, 6, len(users)),
            "timestamp": times(moments),
        }
    )
    return interactions, _catalogue(taste_of_item, random)


def _catalogue(taste_of_item: np.ndarray, random: np.random.Generator) -> pd.DataFrame:
    """Return items whose texts use the words of one taste."""
    names = list(TASTES)
    words = [random.choice(TASTES[names[taste]], 3, replace=False) for taste in taste_of_item]
    common = random.choice(COMMON_WORDS, len(taste_of_item))
    return pd.DataFrame(
        {
            "item_id": [f"i{item:03}" for item in range(len(taste_of_item))],
            "title": [f"{c} {w[0]} {w[1]}" for c, w in zip(common, words, strict=True)],
            "description": [f"{w[2]} for {w[0]}" for w in words],
            "categories": [names[taste] for taste in taste_of_item],
            "brand": "",
            "price": "",
        }
    )


def write_data(folder: Path, seed: int = 0) -> None:
    """Write fabricated ``interactions.csv`` and ``items.csv`` into a folder."""
    write(folder, *fabricate(seed=seed))


def write_encoder(folder: Path, more_words: Iterable[str] = ()) -> None:
    """Write a one-layer BERT with random weights that sentence-transformers can load.

    Its vectors resemble bags of words, so texts that share words have similar vectors.

    Args:
        folder: where to write it.
        more_words: words of the vocabulary besides those of the fabricated data.
    """
    torch.manual_seed(0)
    words = sorted({word for words in TASTES.values() for word in words} | {*COMMON_WORDS, *TASTES})
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)] + list("0123456789.,:;-'&()")
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]
    vocabulary += letters + [f"##{letter}" for letter in letters] + list(more_words)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    with TemporaryDirectory() as scratch:
        vocabulary_file = Path(scratch, "vocab.txt")
        vocabulary_file.write_text("\n".join(vocabulary), encoding="utf-8")
        tokenizer = BertTokenizer(vocab=str(vocabulary_file), model_max_length=64)
        tokenizer.save_pretrained(scratch)
        BertModel(config).save_pretrained(scratch)
        transformer = Transformer(scratch, max_seq_length=64)
    pooling = Pooling(transformer.get_embedding_dimension(), pooling_mode="mean")
    SentenceTransformer(modules=[transformer, pooling], device="cpu").save(str(folder))
