"""Nodes of the language study: compression, stars, augmentation, a language model as judge."""

from __future__ import annotations

import logging
from collections.abc import MutableMapping, Sequence
from itertools import chain
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd

from longtail.arrays import Arrays
from longtail.behaviour.histories import Histories
from longtail.metrics.leaderboard import Row, compare_models, drop_small_groups
from longtail.metrics.scoring import score_model
from longtail.metrics.tables import GroundTruth, ground_truth
from longtail.pipelines.evaluation.params import EvaluationParameters
from longtail.pipelines.item_encoding.params import ItemEncodingParameters
from longtail.pipelines.language_study.params import (
    AugmentationStudyParameters,
    WishStudyParameters,
)
from longtail.pipelines.recommenders.nodes import indices_of_users
from longtail.recommenders.base import TrainingData
from longtail.recommenders.item_features import ItemFeatures
from longtail.recommenders.language_model_ranker.model import LanguageModelRanker
from longtail.recommenders.lists import recommend
from longtail.recommenders.neural.interest_network import (
    NOT_AUGMENTED,
    InterestNetwork,
    augmentation_variants,
)
from longtail.recommenders.validation import validation_targets
from longtail.reporting import terminal
from longtail.studies import judge as llm_judge
from longtail.studies.compression import compression_table
from longtail.studies.judge import JudgeParameters, draw_users
from longtail.studies.rating_errors import held_out_from, rating_errors, split_stars
from longtail.studies.star_predictors import predict_stars, star_period
from longtail.studies.wishes import BM25, draw_wishes, found_items, search_scores
from longtail.studies.written_reasons import PROMPT, facts_of, is_supported
from longtail.text.encoder import TextEncoder
from longtail.text.generator import TextGenerator
from longtail.text.item_text import compose_item_text
from longtail.text.summaries import one_line
from longtail.text.whitening import Whitening
from longtail.tuning.search import TuningParameters

# Columns shown of every comparison.
COMPARED = ("baseline_value", "value", "difference_ci_low", "difference_ci_high", "n_users")

AUGMENTED_COLUMNS = ("model", "metric", "user_group", *COMPARED)

SEARCHED_COLUMNS = ("model", "metric", "k", "baseline", *COMPARED)

JUDGED_COLUMNS = ("model", "metric", "k", *COMPARED, "seconds_per_user")

logger = logging.getLogger(__name__)


def compress_vectors(
    tuning: TuningParameters,
    training: Histories,
    held_out: Histories,
    item_features: ItemFeatures,
) -> list[Row]:
    """Return what each way to make the item vectors smaller costs in quality, bytes and time."""
    data = TrainingData(training, item_features, tuning.seed)
    targets = validation_targets(training, held_out.matrix(), tuning.max_users, tuning.seed)
    return _records(compression_table(data, targets, tuning.k))


def study_ratings(
    ranker: LanguageModelRanker,
    tuning: TuningParameters,
    evaluation: EvaluationParameters,
    past: Histories,
    item_features: ItemFeatures,
    item_groups: pd.DataFrame,
    user_groups: pd.DataFrame,
    test: pd.DataFrame,
    train: pd.DataFrame,
    validation: pd.DataFrame,
    interactions: pd.DataFrame,
    split: dict[str, Any],
    checkpoints: MutableMapping[str, Arrays],
) -> list[Row]:
    """Return how well the stars after the start of the test are predicted, low ones included.

    A fine-tuned language model with and without text stands beside the mean of all stars, the
    biases of users and items and a matrix factorisation; no rows without stars, nor of a group of
    too few users.
    """
    groups = item_groups.set_index("item_id")["item_group"]
    kinds = user_groups.set_index("user_id")["user_group"]
    ends = held_out_from(past.user_ids, test, split["test_start"])
    known = pd.concat([train, validation])
    before, rated = split_stars(interactions, known, test, ends)
    rated = rated[rated["user_id"].map(kinds) != "new"]
    if rated.empty or before.empty:
        logger.info("There are no stars to predict: no interaction has a rating.")
        return []
    starts = held_out_from(past.user_ids, validation, split["validation_start"])
    earlier, held_out = split_stars(before, train, validation, starts.clip(upper=ends))
    data = TrainingData(past, item_features, tuning.seed, checkpoints)
    on_test = star_period(data, before, rated)
    predictions = predict_stars(
        ranker, star_period(data, earlier, held_out), on_test, tuning.trials
    )
    masks = {str(g): (rated["item_id"].map(groups) == g).to_numpy() for g in groups.unique()}
    masks |= {str(g): (rated["user_id"].map(kinds) == g).to_numpy() for g in kinds.unique()}
    users = rated["user_id"].to_numpy()
    masks = {
        name: mask
        for name, mask in masks.items()
        if len(set(users[mask])) >= evaluation.min_group_size
    }
    return _records(rating_errors(predictions, on_test.actual, masks))


def study_wishes(
    study: WishStudyParameters,
    encoding: ItemEncodingParameters,
    evaluation: EvaluationParameters,
    items: pd.DataFrame,
    item_embeddings: Arrays,
    language_vectors: Arrays,
    item_groups: pd.DataFrame,
) -> list[Row]:
    """Compare searches for items by a sentence that was taken out of their descriptions.

    Language vectors alone, and words and vectors as the service joins them, against BM25; no rows
    where fewer descriptions than the smallest reported group have two sentences.
    """
    wishes = draw_wishes(items, study.wishes, evaluation.seed)
    if len(wishes) < evaluation.min_group_size:
        logger.info("There are no wishes: hardly a description has a sentence to spare.")
        return []
    rest = wishes["description"].reindex(items.index).fillna(items["description"])
    indexed = items.assign(description=rest)
    texts = compose_item_text(indexed, encoding.fields, encoding.max_characters)
    encoder, whitening = TextEncoder(encoding.encoder), Whitening.from_arrays(language_vectors)
    embeddings = item_embeddings["embeddings"].copy()
    embeddings[wishes.index] = encoder.encode(texts[wishes.index].tolist())
    vectors = whitening.apply(embeddings, (texts != "").to_numpy())
    asked = whitening.apply(encoder.encode(wishes["wish"].tolist()), np.ones(len(wishes), bool))
    scores = search_scores(indexed["title"], texts, vectors, wishes["wish"].tolist(), asked)
    ids = wishes.index.astype(str)
    lists = {
        name: found_items(table, items["item_id"], ids, evaluation.primary_k)
        for name, table in scores.items()
    }
    wanted = pd.DataFrame({"user_id": ids, "item_id": wishes["item_id"].to_numpy()})
    askers = pd.DataFrame({"user_id": ids, "user_group": "quiet"})
    truth = ground_truth(wanted, wanted.iloc[:0], wanted.iloc[:0], item_groups, askers)
    measures = [(name, evaluation.primary_k) for name in ("recall", "mrr")]
    rows = _compared(lists, truth, BM25, measures, evaluation)
    return [row for row in rows if row["user_group"] == "all"]


def study_augmentation(
    study: AugmentationStudyParameters,
    evaluation: EvaluationParameters,
    tuning: TuningParameters,
    past: Histories,
    item_features: ItemFeatures,
    checkpoints: MutableMapping[str, Arrays],
    length: int,
    test: pd.DataFrame,
    train: pd.DataFrame,
    validation: pd.DataFrame,
    item_groups: pd.DataFrame,
    user_groups: pd.DataFrame,
) -> list[Row]:
    """Compare the interest network with and without its augmentations."""
    users = draw_users(test, user_groups, study.users, evaluation.seed)
    test = test[test["user_id"].isin(users)]
    data = TrainingData(past, item_features, tuning.seed, checkpoints)
    indices = indices_of_users(test, past)
    lists = {
        name: recommend(network, network.fit(data), data, indices, length, f"{name} recommends")
        for name, network in augmentation_variants(InterestNetwork()).items()
    }
    truth = ground_truth(test, train, validation, item_groups, user_groups)
    wanted = [("ndcg", tuning.k), ("recall", tuning.k)]
    return _compared(lists, truth, NOT_AUGMENTED, wanted, evaluation)


def ask_language_model(
    judge: JudgeParameters,
    evaluation: EvaluationParameters,
    recommendations: pd.DataFrame,
    reasons: pd.DataFrame,
    items: pd.DataFrame,
    test: pd.DataFrame,
    train: pd.DataFrame,
    validation: pd.DataFrame,
    item_groups: pd.DataFrame,
    user_groups: pd.DataFrame,
) -> tuple[list[Row], dict[str, Any]]:
    """Let a generative language model judge the lists of some users, and write their reasons.

    Returns:
        The judged order and the blend compared with the hybrid's own, and what was written.
    """
    users = draw_users(test, user_groups, judge.users, evaluation.seed)
    generator = TextGenerator(judge.generator, "llm_judge.generator")
    _ = generator.loaded
    test = test[test["user_id"].isin(users)]
    truth = ground_truth(test, train, validation, item_groups, user_groups)
    history = pd.concat([train, validation])
    lists = recommendations[recommendations["user_id"].isin(test["user_id"])]
    judged = _judge_lists(judge, evaluation, generator, truth, lists, items, history)
    wanted = reasons["user_id"].isin(users) & (reasons["rank"] <= judge.sentences)
    written = _write_reasons(reasons[wanted], generator)
    if evaluation.min_group_size > 1:
        logger.info("The written reasons are counted and not kept: each tells of a single user.")
        written["rows"] = []
    return judged, written


def _judge_lists(
    judge: JudgeParameters,
    evaluation: EvaluationParameters,
    generator: TextGenerator,
    truth: GroundTruth,
    lists: pd.DataFrame,
    items: pd.DataFrame,
    history: pd.DataFrame,
) -> list[Row]:
    """Return how other orders of the same items compare with the hybrid's, over some users."""
    lists = lists[lists["rank"] <= judge.candidates]
    titles = items.set_index("item_id")["title"]
    titles = titles.where(titles != "", titles.index)
    questions = llm_judge.write_questions(lists, history, titles, judge.latest)
    start = perf_counter()
    lists = lists.assign(log_odds=generator.yes_log_odds(questions))
    seconds = (perf_counter() - start) / lists["user_id"].nunique()
    # What another order of the first items can change.
    wanted = [("ndcg", evaluation.primary_k), ("recall", evaluation.primary_k // 2)]
    rows = _compared(llm_judge.orders(lists), truth, llm_judge.LIST, wanted, evaluation)
    return [row | {"seconds_per_user": seconds} for row in rows if row["user_group"] == "all"]


def _compared(
    lists: dict[str, pd.DataFrame],
    truth: GroundTruth,
    baseline: str,
    wanted: Sequence[tuple[str, int]],
    evaluation: EvaluationParameters,
) -> list[Row]:
    """Return how lists compare with those of a baseline in some metrics, by group of users."""
    ks = sorted({k for _, k in wanted})
    scores = {name: score_model(table, truth, ks) for name, table in lists.items()}
    _, comparisons = compare_models(scores, truth, baseline, evaluation.resampling)
    return [
        row
        for row in drop_small_groups(comparisons, evaluation.min_group_size)
        if (row["metric"], row["k"]) in wanted and row["item_group"] == "all"
    ]


def _write_reasons(reasons: pd.DataFrame, generator: TextGenerator) -> dict[str, Any]:
    """Return the sentences that say nothing but the facts, else those of the template."""
    rows = reasons.assign(facts=[facts_of(row) for row in reasons.to_dict("records")])
    rows = rows[rows["facts"] != ""].reset_index(drop=True)
    start = perf_counter()
    prompts = [PROMPT.format(facts=facts) for facts in rows["facts"]]
    answers = dict(chain.from_iterable(generator.write(prompts, "Reasons")))
    seconds = perf_counter() - start
    rows["written"] = [one_line(answers[place]) for place in rows.index]
    supported = [*map(is_supported, rows["written"], rows["facts"])]
    rows["accepted"] = np.array(supported, dtype=bool)
    rows["sentence"] = rows["written"].where(rows["accepted"], rows["sentence"])
    shown = ["user_id", "item_id", "facts", "written", "accepted", "sentence"]
    return {
        "sentences": len(rows),
        "share_accepted": float(rows["accepted"].mean()) if len(rows) else None,
        "seconds_per_sentence": seconds / max(len(rows), 1),
        "rows": _records(rows[shown]),
    }


def show_language_study(
    compression: list[Row],
    rating_quality: list[Row],
    wishes: list[Row],
    augmentation: list[Row] | None = None,
    judged: list[Row] | None = None,
    written: dict[str, Any] | None = None,
) -> None:
    """Print the tables to the terminal, and how many written sentences kept to the facts."""
    terminal.print_rows("What compression costs", compression)
    terminal.print_rows("Errors of predicted stars", rating_quality)
    terminal.print_rows(
        "Items found by a sentence about them",
        [{name: row[name] for name in SEARCHED_COLUMNS} for row in wishes],
    )
    if augmentation:
        terminal.print_rows(
            "What augmentation brings to the interest network",
            [{name: row[name] for name in AUGMENTED_COLUMNS} for row in augmentation],
        )
    if judged:
        terminal.print_rows(
            "A language model as judge of the hybrid's lists",
            [{name: row[name] for name in JUDGED_COLUMNS} for row in judged],
        )
    if written:
        counts = {name: value for name, value in written.items() if name != "rows"}
        terminal.print_rows("Reasons written by the language model", [counts])


def _records(table: pd.DataFrame) -> list[Row]:
    return [
        {str(name): value for name, value in row.items()}
        for row in table.astype(object).to_dict("records")
    ]
