"""Nodes of the item encoding: texts, vectors, whitened vectors and text neighbours."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from longtail.models.graphs import nearest_by_cosine
from longtail.pipelines.item_encoding.params import ItemEncodingParameters
from longtail.text.encoder import TextEncoder
from longtail.text.item_text import compose_item_text
from longtail.text.tfidf import tfidf_vectors
from longtail.text.whitening import whiten

logger = logging.getLogger(__name__)

Vectors = dict[str, NDArray[np.float32]]


def compose_texts(items: pd.DataFrame, parameters: ItemEncodingParameters) -> pd.DataFrame:
    """Join the fields of each item to one text and name it by its cache key."""
    text = compose_item_text(items, parameters.fields, parameters.max_characters)
    key = TextEncoder(parameters.encoder).text_keys(text)
    return pd.DataFrame({"item_id": items["item_id"], "text": text, "key": key})


def encode_new_texts(
    item_texts: pd.DataFrame, cached: pd.DataFrame, parameters: ItemEncodingParameters
) -> pd.DataFrame:
    """Encode the texts that no earlier run encoded with the same model and settings."""
    missing = item_texts[~item_texts["key"].isin(cached["key"]) & (item_texts["text"] != "")]
    missing = missing.drop_duplicates("key")
    logger.info("%s of %s texts are new to the encoder.", len(missing), len(item_texts))
    if missing.empty:
        return pd.DataFrame({"key": missing["key"], "vector": pd.Series(dtype=object)})
    vectors = TextEncoder(parameters.encoder).encode(missing["text"].tolist())
    return pd.DataFrame({"key": missing["key"].to_numpy(), "vector": list(vectors)})


def collect_embeddings(
    item_texts: pd.DataFrame, cached: pd.DataFrame, encoded: pd.DataFrame
) -> Vectors:
    """Return one vector an item in catalogue order; zeros for items without a text."""
    table = pd.concat([cached, encoded]).drop_duplicates("key", keep="last")
    vectors = table.set_index("key")["vector"].reindex(item_texts["key"])
    known = vectors.notna().to_numpy()
    dimensions = len(vectors[known].iloc[0])
    embeddings = np.zeros((len(item_texts), dimensions), dtype=np.float32)
    embeddings[known] = np.stack(vectors[known].to_list())
    return {"embeddings": embeddings}


def whiten_embeddings(
    item_embeddings: Vectors,
    item_texts: pd.DataFrame,
    train: pd.DataFrame,
    parameters: ItemEncodingParameters,
) -> Vectors:
    """Centre and whiten the embeddings by the items of the training period."""
    vectors = whiten(
        item_embeddings["embeddings"],
        known=(item_texts["text"] != "").to_numpy(),
        reference=item_texts["item_id"].isin(train["item_id"]).to_numpy(),
        strength=parameters.whitening_strength,
        dimensions=parameters.dimensions,
    )
    return {"vectors": vectors}


def encode_tfidf(
    item_texts: pd.DataFrame, train: pd.DataFrame, parameters: ItemEncodingParameters
) -> Vectors:
    """Return whitened TF-IDF vectors: the texts without a language model."""
    known = (item_texts["text"] != "").to_numpy()
    reference = known & item_texts["item_id"].isin(train["item_id"]).to_numpy()
    size = parameters.dimensions
    vectors = tfidf_vectors(item_texts["text"], reference, size, parameters.tfidf_seed)
    return {
        "vectors": whiten(vectors, known, reference, parameters.whitening_strength, size),
    }


def find_text_neighbours(item_vectors: Vectors, parameters: ItemEncodingParameters) -> sp.csr_array:
    """Return the nearest items of each item by the cosine of their vectors."""
    return nearest_by_cosine(item_vectors["vectors"], parameters.neighbours)
