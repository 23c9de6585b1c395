"""Nodes of the deployment. Nothing that they make feeds back into the evaluation."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd

from longtail.arrays import Arrays
from longtail.behaviour.dislikes import END
from longtail.behaviour.histories import Histories, build_histories, without_pairs
from longtail.hybrid.parameters import HybridParameters
from longtail.metrics.model_card import in_words, name_of, quality_of
from longtail.pipelines.behaviour_cleaning.params import BehaviourCleaningParameters
from longtail.pipelines.deploy.params import DeploymentParameters
from longtail.pipelines.evaluation.params import EvaluationParameters
from longtail.recommenders.fitted_model import FittedModel
from longtail.recommenders.item_features import ItemFeatures
from longtail.serving.assembly import assemble
from longtail.serving.hybrid import ServedHybrid

logger = logging.getLogger(__name__)

KEYS = ["user_id", "item_id"]


def index_whole_log(
    past: Histories,
    test: pd.DataFrame,
    fold_in: pd.DataFrame,
    dislikes: pd.DataFrame,
    cleaning: BehaviourCleaningParameters,
) -> Histories:
    """Return the histories of the whole log: training, validation and test period.

    Args:
        past: training and validation period.
        test: user_id, item_id, timestamp, weight of the test period; also position, where times
            alone do not order the interactions of a user.
        fold_in: the first interactions of hidden users, where the protocol hides some.
        dislikes: user_id, item_id, known_at.
        cleaning: gives the seed of the order of equal times.
    """
    known = pd.DataFrame(
        {
            "user_id": past.user_ids[past.users],
            "item_id": past.item_ids[past.items],
            "timestamp": past.timestamps,
            "weight": past.weights,
        }
    )
    columns = [*KEYS, "timestamp", "weight"]
    if "position" in test:
        columns.append("position")
        known["position"] = known.groupby("user_id", sort=False).cumcount()
    later = [table[columns].astype({"timestamp": "float64"}) for table in (fold_in, test)]
    at_end = dislikes[dislikes["known_at"] == END]
    chosen = pd.concat([known, *later], ignore_index=True).drop_duplicates(KEYS)
    log = without_pairs(chosen, at_end)
    users = np.union1d(past.user_ids.astype(str), chosen["user_id"].astype(str)).astype(object)
    return build_histories(
        log,
        users,
        past.item_ids,
        common_cutoff=past.common_cutoff,
        seed=cleaning.seed,
        dislikes=at_end,
    )


def assemble_hybrid(
    hybrid: HybridParameters,
    gate: dict[str, Any],
    log: Histories,
    item_features: ItemFeatures,
    items: pd.DataFrame,
    item_understanding: pd.DataFrame,
    language_vectors: Arrays,
    adapted_vectors: Arrays,
    vector_choice: dict[str, Any],
    item_knn_graph: FittedModel | None = None,
    **sources: FittedModel,
) -> ServedHybrid:
    """Join the refitted sources with gate, tail emphasis and item features of the evaluated run."""
    logger.info(
        "The sources were refitted on %d interactions; gate, tail emphasis and item vectors are"
        " those of the evaluated run.",
        len(log.items),
    )
    return assemble(
        hybrid,
        gate,
        sources,
        log,
        item_features,
        items,
        item_understanding,
        language_vectors,
        adapted_vectors,
        vector_choice,
        item_knn_graph,
    )


def list_for_all(deployed: ServedHybrid, parameters: DeploymentParameters) -> pd.DataFrame:
    """Return the lists of all users of the log, without what they have.

    Returns:
        user_id, rank (from 1), item_id, title, score, reason.
    """
    lists = deployed.lists_of_all(parameters.length)
    return lists[["user_id", "rank", "item_id", "title", "score", "reason"]]


def describe_model(
    log: Histories,
    split: dict[str, Any],
    leaderboard: list[dict[str, Any]],
    comparisons: list[dict[str, Any]],
    evaluation: EvaluationParameters,
) -> dict[str, Any]:
    """Return what the deployed model was fitted on, and how the evaluated one did.

    The quality is that of the same settings, fitted without the test period.
    """
    quality = quality_of(leaderboard, comparisons, evaluation.primary_k, evaluation.baseline)
    for row in quality:
        logger.info("Evaluated on the test period: %s %s", name_of(row), in_words(row))
    until = None
    if log.has_calendar_time:
        until = datetime.fromtimestamp(float(np.nanmax(log.timestamps)), UTC).isoformat()
    return {
        "protocol": split["protocol"],
        "split": split["fingerprint"],
        "users": log.n_users,
        "items": log.n_items,
        "interactions": len(log.items),
        "log_until": until,
        "headline": quality,
    }
