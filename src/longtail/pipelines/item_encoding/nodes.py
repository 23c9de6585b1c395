"""Nodes of the item encoding: texts, vectors, keywords, adaptation and text neighbours."""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from longtail.arrays import Arrays
from longtail.behaviour.histories import Histories
from longtail.behaviour.origins import FIRST_REPEAT, RepeatParameters
from longtail.errors import UserError
from longtail.item_graphs.nearest import find_neighbours
from longtail.pipelines.item_encoding.params import ItemEncodingParameters
from longtail.recommenders.base import TrainingData
from longtail.recommenders.content.text_knn import RecentTextKNN
from longtail.recommenders.item_features import ItemFeatures
from longtail.recommenders.item_relations import partial_correlations
from longtail.recommenders.validation import ValidationTargets, validation_ndcg, validation_targets
from longtail.text.adaptation import AdaptationParameters, adapt_vectors
from longtail.text.encoder import TextEncoder
from longtail.text.generator import TextGenerator
from longtail.text.item_text import compose_item_text
from longtail.text.keywords import (
    choose_keywords,
    common_phrases,
    join_keywords,
    phrases_held,
)
from longtail.text.scripts import UNREADABLE_SHARE, unread_in_words, unreadable_words
from longtail.text.summaries import summarise
from longtail.text.text_map import LEARNED
from longtail.text.tfidf import tfidf_vectors
from longtail.text.whitening import Whitening, whiten
from longtail.tuning.search import TuningParameters

logger = logging.getLogger(__name__)


def compose_texts(items: pd.DataFrame, parameters: ItemEncodingParameters) -> pd.DataFrame:
    """Join the fields of each item to one text and name it by its cache key."""
    text = compose_item_text(items, parameters.fields, parameters.max_characters)
    key = TextEncoder(parameters.encoder).text_keys(text)
    return pd.DataFrame({"item_id": items["item_id"], "text": text, "key": key})


def find_phrases(item_texts: pd.DataFrame, parameters: ItemEncodingParameters) -> pd.DataFrame:
    """Return the words and phrases of the texts that can be keywords, by their cache keys."""
    understanding = parameters.understanding
    most = understanding.phrases if understanding.keywords else 0
    text = pd.Series(common_phrases(item_texts["text"].tolist(), most), dtype="str")
    return pd.DataFrame({"text": text, "key": TextEncoder(parameters.encoder).text_keys(text)})


def encode_new_texts(
    item_texts: pd.DataFrame,
    phrases: pd.DataFrame,
    cached: pd.DataFrame,
    parameters: ItemEncodingParameters,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Encode the texts and phrases that no earlier run encoded with the same model and settings.

    Returns:
        Keys and vectors, and how long the texts and the phrases took; both empty where nothing is
        new.
    """
    encoder = TextEncoder(parameters.encoder)
    texts, speed = _encode_and_time(encoder, item_texts, cached, "texts")
    known = pd.concat([cached[["key"]], texts[["key"]]])
    more, speed_of_phrases = _encode_and_time(encoder, phrases, known, "phrases")
    return pd.concat([texts, more]), speed | speed_of_phrases


def _encode_and_time(
    encoder: TextEncoder, texts: pd.DataFrame, cached: pd.DataFrame, kind: str
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return the vectors of new texts and how long they took, without loading the model.

    Keys of phrases carry their name as a suffix; keys of texts do not.
    """
    missing = texts[~texts["key"].isin(cached["key"]) & (texts["text"] != "")]
    missing = missing.drop_duplicates("key")
    logger.info("Encoding %s of %s %s; the others are cached.", len(missing), len(texts), kind)
    if missing.empty:
        return pd.DataFrame({"key": missing["key"], "vector": pd.Series(dtype=object)}), {}
    if kind == "texts":
        _warn_of_scripts(encoder, missing["text"].tolist())
    _ = encoder.model
    start = perf_counter()
    vectors = encoder.encode(missing["text"].tolist())
    seconds = 1000 * (perf_counter() - start) / len(missing)
    logger.info("%s: %.2f seconds per thousand %s.", encoder.parameters.model, seconds, kind)
    table = pd.DataFrame({"key": missing["key"].to_numpy(), "vector": list(vectors)})
    if kind != "texts":
        return table, {kind: len(missing), f"seconds_per_thousand_{kind}": seconds}
    return table, {
        "model": encoder.parameters.model,
        "texts": len(missing),
        "seconds_per_thousand": seconds,
        "dimensions": vectors.shape[1],
    }


def _warn_of_scripts(encoder: TextEncoder, texts: list[str]) -> None:
    """Say if the encoder does not read what the texts are written in."""
    share, words = unreadable_words(encoder.model.tokenizer, texts)
    if share > UNREADABLE_SHARE:
        logger.warning("%s", unread_in_words(encoder.parameters.model, share, words))


def collect_embeddings(
    item_texts: pd.DataFrame, cached: pd.DataFrame, encoded: pd.DataFrame
) -> Arrays:
    """Return one vector an item in catalogue order; zeros for items without a text.

    Where no item has a text, the vectors have a single dimension.
    """
    table = pd.concat([cached, encoded]).drop_duplicates("key", keep="last")
    vectors = table.set_index("key")["vector"].reindex(item_texts["key"])
    known = vectors.notna().to_numpy()
    dimensions = len(vectors[known].iloc[0]) if known.any() else 1
    embeddings = np.zeros((len(item_texts), dimensions), dtype=np.float32)
    if known.any():
        embeddings[known] = np.stack(vectors[known].to_list())
    return {"embeddings": embeddings}


def describe_items(
    parameters: ItemEncodingParameters,
    item_texts: pd.DataFrame,
    item_embeddings: Arrays,
    phrases: pd.DataFrame,
    cached: pd.DataFrame,
    encoded: pd.DataFrame,
    checkpoints: MutableMapping[str, Arrays],
) -> pd.DataFrame:
    """Return the keywords of each item and, where wanted, one line that sums up its text.

    Returns:
        item_id, keywords (the best first, joined by commas), summary; "" where there is none.
    """
    understanding = parameters.understanding
    texts, words = item_texts["text"].tolist(), phrases["text"].tolist()
    keywords, summaries = [""] * len(texts), [""] * len(texts)
    if words:
        chosen = choose_keywords(
            item_embeddings["embeddings"],
            collect_embeddings(phrases, cached, encoded)["embeddings"],
            phrases_held(texts, words),
            understanding.keywords,
            understanding.diversity,
        )
        keywords = join_keywords(chosen, words)
    if understanding.summaries:
        generator = TextGenerator(understanding.generator, "item_encoding.understanding.generator")
        summaries = summarise(texts, generator, checkpoints)
    return pd.DataFrame(
        {"item_id": item_texts["item_id"], "keywords": keywords, "summary": summaries}
    )


def whiten_embeddings(
    item_embeddings: Arrays,
    item_texts: pd.DataFrame,
    train: pd.DataFrame,
    parameters: ItemEncodingParameters,
) -> Arrays:
    """Centre and whiten the embeddings by the items of the training period.

    Returns:
        vectors, and the whitening itself, for texts that come later.
    """
    known = (item_texts["text"] != "").to_numpy()
    reference = item_texts["item_id"].isin(train["item_id"]).to_numpy()
    return _whitened(item_embeddings["embeddings"], known, known & reference, parameters)


def _whitened(
    vectors: NDArray[np.float32],
    known: NDArray[np.bool_],
    fitted: NDArray[np.bool_],
    parameters: ItemEncodingParameters,
) -> Arrays:
    strength, dimensions = parameters.whitening_strength, parameters.dimensions
    whitening = Whitening.fit(vectors[fitted], strength, dimensions)
    return {"vectors": whitening.apply(vectors, known)} | whitening.to_arrays()


def encode_tfidf(
    item_texts: pd.DataFrame,
    train: pd.DataFrame,
    parameters: ItemEncodingParameters,
    repeat: RepeatParameters = FIRST_REPEAT,
) -> Arrays:
    """Return whitened TF-IDF vectors: the texts without a language model."""
    known = (item_texts["text"] != "").to_numpy()
    reference = known & item_texts["item_id"].isin(train["item_id"]).to_numpy()
    size = parameters.dimensions
    seed = repeat.seed_or(parameters.tfidf_seed)
    vectors = tfidf_vectors(item_texts["text"], reference, size, seed)
    return {
        "vectors": whiten(vectors, known, reference, parameters.whitening_strength, size),
    }


def split_word_pieces(parameters: ItemEncodingParameters, item_texts: pd.DataFrame) -> sp.csr_array:
    """Return which word pieces of the encoder's vocabulary each text holds."""
    return TextEncoder(parameters.encoder).word_pieces(item_texts["text"].tolist())


def relate_items(parameters: ItemEncodingParameters, training: Histories) -> sp.csr_array:
    """Return how strongly items are related in the histories of the training period."""
    adaptation = parameters.adaptation
    try:
        return partial_correlations(training.choices(), adaptation.ridge, adaptation.related)
    except np.linalg.LinAlgError as error:
        raise UserError(
            f"The relations of items cannot be computed at item_encoding.adaptation.ridge"
            f" {adaptation.ridge:g}: their equations are singular. Raise it; the default is"
            f" {AdaptationParameters().ridge:g}."
        ) from error


def adapt_to_behaviour(
    parameters: ItemEncodingParameters,
    vectors: Arrays,
    word_pieces: sp.csr_array,
    item_texts: pd.DataFrame,
    training: Histories,
    item_relations: sp.csr_array,
    repeat: RepeatParameters = FIRST_REPEAT,
) -> Arrays:
    """Train the vectors on how items are related in the training period, and whiten them.

    What was learned is kept for later texts, the loss of each step as ``curve.adaptation_loss``.
    Without related items, or with no steps, the vectors stay as they are.
    """
    seed = repeat.seed_or(parameters.adaptation.seed)
    adaptation = parameters.adaptation.model_copy(update={"seed": seed})
    if adaptation.steps == 0 or item_relations.nnz == 0:
        return vectors
    adapted, losses, learned = adapt_vectors(
        vectors["vectors"], word_pieces, item_relations, adaptation
    )
    known = (item_texts["text"] != "").to_numpy()
    whitened = _whitened(adapted, known, known & (training.item_counts() > 0), parameters)
    later = {f"{LEARNED}{name}": array for name, array in learned.items()}
    return whitened | later | {"curve.adaptation_loss": losses}


def build_item_features(
    tuning: TuningParameters,
    parameters: ItemEncodingParameters,
    training: Histories,
    held_out: Histories,
    items: pd.DataFrame,
    item_texts: pd.DataFrame,
    item_embeddings: Arrays,
    language_vectors: Arrays,
    adapted_vectors: Arrays,
    tfidf_vectors: Arrays,
) -> tuple[ItemFeatures, dict[str, Any]]:
    """Find the neighbours of all vectors; take the frozen or the adapted ones by validation.

    Returns:
        The features of the items, and how the choice was made: the validation NDCG of both kinds
        of vectors, and the share of the true neighbours that the search found.
    """
    vectors = {"frozen": language_vectors["vectors"], "adapted": adapted_vectors["vectors"]}
    found = {kind: neighbours_of(z, parameters) for kind, z in vectors.items()}
    graphs = {kind: graph for kind, (graph, _) in found.items()}
    targets = validation_targets(training, held_out.matrix(), tuning.max_users, tuning.seed)
    quality = {k: text_neighbour_ndcg(graphs[k], training, targets, tuning.k) for k in vectors}
    chosen = max(quality, key=lambda kind: quality[kind])
    logger.info("Text neighbours on validation, NDCG@%d: %s.", tuning.k, _in_words(quality))
    features = ItemFeatures(
        vectors=vectors[chosen],
        text_neighbours=graphs[chosen],
        frozen_neighbours=graphs["frozen"],
        tfidf_neighbours=neighbours_of(tfidf_vectors["vectors"], parameters)[0],
        embeddings=item_embeddings["embeddings"],
        texts=item_texts["text"].to_numpy(dtype=object),
        attributes=items[["categories", "brand", "price"]],
        encoder=parameters.encoder,
    )
    choice = {
        "chosen": chosen,
        f"validation_ndcg_at_{tuning.k}": quality,
        "neighbour_recall": {kind: recall for kind, (_, recall) in found.items()},
    }
    return features, choice


def neighbours_of(
    vectors: NDArray[np.float32], parameters: ItemEncodingParameters
) -> tuple[sp.csr_array, float]:
    """Return the graph of the nearest items by cosine, and the share of them that was found."""
    return find_neighbours(vectors, parameters.neighbours, parameters.exact_neighbours_up_to)


def text_neighbour_ndcg(
    graph: sp.csr_array, training: Histories, targets: ValidationTargets, k: int
) -> float:
    """Return what text neighbours reach on validation; 0 where nobody can be evaluated."""
    if len(targets.users) == 0:
        return 0.0
    data = TrainingData(training, ItemFeatures(text_neighbours=graph))
    model = RecentTextKNN()
    return validation_ndcg(model, model.fit(data), data, targets, k)


def _in_words(quality: dict[str, float]) -> str:
    return ", ".join(f"{kind} vectors {value:.4f}" for kind, value in quality.items())
