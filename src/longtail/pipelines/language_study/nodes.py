"""Nodes of the language study: compression, stars, augmentation, a language model as judge."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import chain
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from longtail.metrics.leaderboard import Resampling, Row, compare_models, of_groups_with
from longtail.metrics.scoring import score_model
from longtail.metrics.tables import GroundTruth, ground_truth
from longtail.models import llm_judge
from longtail.models.base import recommend
from longtail.models.compression import compression_table
from longtail.models.interest_network import (
    NOT_AUGMENTED,
    InterestNetwork,
    augmentation_variants,
)
from longtail.models.language_model_ranker import LanguageModelRanker
from longtail.models.llm_judge import JudgeParameters, draw_users
from longtail.models.llm_reasons import PROMPT, facts_of, is_supported
from longtail.models.rating_quality import bias_ratings, rating_errors
from longtail.models.tuning import TuningParameters
from longtail.pipelines.evaluation.params import EvaluationParameters
from longtail.pipelines.language_study.params import AugmentationStudyParameters
from longtail.pipelines.recommenders import indices_of_users, targets_of, training_data
from longtail.reporting import terminal
from longtail.text.generator import TextGenerator
from longtail.text.summaries import one_line

# What is told of every comparison.
COMPARED = ("baseline_value", "value", "difference_ci_low", "difference_ci_high", "n_users")

# What is told of the augmentations.
AUGMENTED = (("ndcg", 20), ("recall", 20))
AUGMENTED_COLUMNS = ("model", "metric", "user_group", *COMPARED)

# What is told of the judge: what a new order of the first twenty items can change.
JUDGED = (("ndcg", 20), ("recall", 10))

JUDGED_COLUMNS = ("model", "metric", "k", *COMPARED, "seconds_per_user")

logger = logging.getLogger(__name__)


def compress_vectors(tuning: TuningParameters, **tables: Any) -> list[Row]:
    """Return what each way to make the item vectors smaller costs in quality, bytes and time."""
    data = training_data(**tables, seed=tuning.seed, with_validation=False)
    targets = targets_of(data.histories, tables, tuning)
    return _records(compression_table(data, targets, tuning.k))


def study_ratings(
    ranker: LanguageModelRanker,
    tuning: TuningParameters,
    test: pd.DataFrame,
    ratings: pd.DataFrame,
    **tables: Any,
) -> list[Row]:
    """Return how well a fine-tuned language model predicts the stars of the test interactions.

    Beside it stands what the means of users and items alone predict; no rows without stars.
    """
    data = training_data(**tables, seed=tuning.seed, with_validation=True, ratings=ratings)
    groups = tables["item_groups"].set_index("item_id")["item_group"]
    kinds = tables["user_groups"].set_index("user_id")["user_group"]
    rated = test[["user_id", "item_id"]].merge(
        ratings.dropna(subset="rating").drop_duplicates(["user_id", "item_id"], keep="last"),
        on=["user_id", "item_id"],
    )
    rated = rated[rated["user_id"].map(kinds) != "new"]
    if rated.empty or not np.isfinite(data.ratings).any():
        logger.info("There are no stars to predict: no interaction has a rating.")
        return []
    users = pd.Index(data.histories.user_ids).get_indexer(pd.Index(rated["user_id"]))
    items = pd.Index(data.histories.item_ids).get_indexer(pd.Index(rated["item_id"]))
    model = ranker.model_copy(update={"task": "rating"})
    predictions: dict[str, NDArray[np.floating]] = {
        "bias_only": bias_ratings(data.histories, data.ratings, users, items),
        "language_model": model.predict_ratings(model.fit(data), data, users, items),
    }
    masks = {str(g): (rated["item_id"].map(groups) == g).to_numpy() for g in groups.unique()}
    masks |= {str(g): (rated["user_id"].map(kinds) == g).to_numpy() for g in kinds.unique()}
    actual = rated["rating"].to_numpy(dtype=np.float64)
    return _records(rating_errors(predictions, actual, masks))


def study_augmentation(
    study: AugmentationStudyParameters,
    evaluation: EvaluationParameters,
    tuning: TuningParameters,
    *,
    test: pd.DataFrame,
    length: int,
    **tables: Any,
) -> list[Row]:
    """Compare the interest network with and without its augmentations; no rows without users."""
    users = draw_users(test, tables["user_groups"], study.users, evaluation.seed)
    if not users:
        return []
    test = test[test["user_id"].isin(users)]
    data = training_data(**tables, seed=tuning.seed, with_validation=True)
    indices = indices_of_users(test, data.histories)
    lists = {
        name: recommend(network, network.fit(data), data, indices, length, f"{name} recommends")
        for name, network in augmentation_variants(InterestNetwork()).items()
    }
    truth = ground_truth(
        test,
        *(tables[name] for name in ("train", "validation", "item_groups", "user_groups")),
    )
    return _compared(lists, truth, NOT_AUGMENTED, AUGMENTED, evaluation)


def ask_language_model(
    judge: JudgeParameters,
    evaluation: EvaluationParameters,
    *,
    reasons: pd.DataFrame,
    test: pd.DataFrame,
    user_groups: pd.DataFrame,
    **tables: pd.DataFrame,
) -> tuple[list[Row], dict[str, Any]]:
    """Let a generative language model judge the lists of some users, and write their reasons.

    Returns:
        The judged order and the blend compared with the hybrid's own, and what was written; both
        empty where no user is wanted.
    """
    users = draw_users(test, user_groups, judge.users, evaluation.seed)
    if not users:
        return [], {}
    generator = TextGenerator(judge.generator, "llm_judge.generator")
    _ = generator.loaded
    judged = _judge_lists(
        judge, evaluation, generator, test[test["user_id"].isin(users)], user_groups, **tables
    )
    wanted = reasons["user_id"].isin(users) & (reasons["rank"] <= judge.sentences)
    return judged, _write_reasons(reasons[wanted], generator)


def _judge_lists(
    judge: JudgeParameters,
    evaluation: EvaluationParameters,
    generator: TextGenerator,
    test: pd.DataFrame,
    user_groups: pd.DataFrame,
    *,
    recommendations: pd.DataFrame,
    items: pd.DataFrame,
    train: pd.DataFrame,
    validation: pd.DataFrame,
    item_groups: pd.DataFrame,
) -> list[Row]:
    """Return how other orders of the same items compare with the hybrid's, over some users."""
    lists = recommendations[
        recommendations["user_id"].isin(test["user_id"])
        & (recommendations["rank"] <= judge.candidates)
    ]
    titles = items.set_index("item_id")["title"]
    titles = titles.where(titles != "", titles.index)
    history = pd.concat([train, validation])
    questions = llm_judge.write_questions(lists, history, titles, judge.latest)
    start = perf_counter()
    lists = lists.assign(log_odds=generator.yes_log_odds(questions))
    seconds = (perf_counter() - start) / lists["user_id"].nunique()
    truth = ground_truth(test, train, validation, item_groups, user_groups)
    rows = _compared(llm_judge.orders(lists), truth, llm_judge.LIST, JUDGED, evaluation)
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
    resampling = Resampling(evaluation.bootstrap_draws, evaluation.seed, evaluation.confidence)
    _, comparisons = compare_models(scores, truth, baseline, resampling)
    return [
        row
        for row in of_groups_with(evaluation.min_group_size, comparisons)
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
    augmentation: list[Row],
    judged: list[Row],
    written: dict[str, Any],
) -> None:
    """Print the tables to the terminal, and how many written sentences kept to the facts."""
    terminal.print_rows("What compression costs", compression)
    terminal.print_rows("Errors of predicted stars", rating_quality)
    terminal.print_rows(
        "What augmentation brings to the interest network",
        [{name: row[name] for name in AUGMENTED_COLUMNS} for row in augmentation],
    )
    terminal.print_rows(
        "A language model as judge of the hybrid's lists",
        [{name: row[name] for name in JUDGED_COLUMNS} for row in judged],
    )
    if written:
        counts = {name: value for name, value in written.items() if name != "rows"}
        terminal.print_rows("Reasons in the language model's own words", [counts])


def _records(table: pd.DataFrame) -> list[Row]:
    return [
        {str(name): value for name, value in row.items()}
        for row in table.astype(object).to_dict("records")
    ]
