"""Nodes of the behaviour cleaning."""

import logging
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import ibis.expr.types as ir
import pandas as pd
import plotly.graph_objects as go

from longtail.behaviour import groups
from longtail.behaviour.columns import map_columns
from longtail.behaviour.interactions import InteractionSettings, clean_interactions
from longtail.behaviour.items import ItemSettings, clean_items, standardise_price
from longtail.behaviour.pairs import split_pairs
from longtail.behaviour.profile import profile_data
from longtail.behaviour.splits import (
    SPLITS,
    Assignment,
    SplitSettings,
    check_evaluable,
    count_evaluation,
    fingerprint,
    fold_in_table,
    split_table,
    trained_items,
)
from longtail.pipelines.behaviour_cleaning.params import BehaviourCleaningParameters
from longtail.reporting.profile_figures import PLOTS

logger = logging.getLogger(__name__)


def clean_behaviour(
    raw_interactions: ir.Table,
    raw_items: ir.Table,
    parameters: BehaviourCleaningParameters,
) -> tuple[ir.Table, ir.Table, ir.Table, ir.Table, dict[str, Any]]:
    """Type and clean both files, and make sure that somebody can be evaluated.

    Everything that can make the input unusable is found here, before anything is written.

    Returns:
        interactions, rejected interactions, items, rejected items, cleaning report.

    Raises:
        UserError: When the input cannot be used.
    """
    item_columns = parameters.items_columns.model_dump()
    log_columns = parameters.interactions_columns.model_dump()
    raw_items = map_columns(raw_items, item_columns, required=["item_id"], file="items")
    raw_log = map_columns(
        raw_interactions, log_columns, required=["user_id", "item_id"], file="interactions"
    )
    items = clean_items(
        raw_items, ItemSettings(parameters.clean_text, parameters.non_product_patterns)
    )
    settings = _interaction_settings(parameters)
    log = clean_interactions(raw_log, items.catalogue, settings)
    assignment = _assign(log.events, parameters)
    reason = assignment.reason
    if assignment.protocol == "per_user" and log.report["rejected_by_rule"].get(
        "missing_timestamp"
    ):
        # Rows without time were rejected for a temporal split that will not be made.
        log = clean_interactions(raw_log, items.catalogue, replace(settings, protocol="per_user"))
        assignment = _assign(log.events, parameters)
    evaluation = count_evaluation(assignment, items.report["rows_kept"]) | {"reason": reason}
    check_evaluable(evaluation)
    logger.info("Split protocol %s: %s", assignment.protocol, reason)
    report = {"interactions": log.report, "items": items.report, "evaluation": evaluation}
    catalogue = standardise_price(items.items, trained_items(assignment))
    return log.interactions, log.rejected, catalogue, items.rejected, report


def split_interactions(
    interactions: ir.Table, parameters: BehaviourCleaningParameters
) -> tuple[ir.Table, ir.Table, ir.Table, ir.Table, dict[str, Any]]:
    """Split the user-item pairs of the interactions and say how.

    Returns:
        train, validation and test interactions, those that are folded in (none but under the
        protocol user_cold), and the split's protocol, counts and fingerprint.
    """
    assignment = _assign(interactions, parameters)
    train, validation, test = (split_table(assignment, name).cache() for name in SPLITS)
    fold_in = fold_in_table(assignment, parameters.seed).cache()
    is_folded = assignment.protocol == "user_cold"
    cutoffs = assignment.cutoffs
    split = {
        "protocol": assignment.protocol,
        "reason": assignment.reason,
        "has_order": assignment.has_order,
        "validation_start": cutoffs.validation_start if cutoffs else None,
        "test_start": cutoffs.test_start if cutoffs else None,
        "fold_in": parameters.fold_in if is_folded else None,
        "fingerprint": fingerprint([train, validation, test, *([fold_in] if is_folded else [])]),
        "n_train": train.count().to_pyarrow().as_py(),
        "n_validation": validation.count().to_pyarrow().as_py(),
        "n_test": test.count().to_pyarrow().as_py(),
    }
    return train, validation, test, fold_in, split


def group_items_and_users(
    items: ir.Table, train: ir.Table, validation: ir.Table, test: ir.Table
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Group items by popularity and users by length of history, both before the test period.

    Returns:
        item groups in catalogue order, user groups sorted by user_id.
    """
    history = train.union(validation)
    item_ids = items.select("item_id").order_by("item_id").to_pandas()["item_id"]
    users = history.union(test).select("user_id").distinct()
    user_ids = users.order_by("user_id").to_pandas()["user_id"]
    return (
        groups.item_groups(item_ids, _count_by(history, "item_id")),
        groups.user_groups(user_ids, _count_by(history, "user_id")),
    )


def profile_behaviour(
    items: ir.Table,
    train: ir.Table,
    validation: ir.Table,
    test: ir.Table,
    fold_in: ir.Table,
    cleaning_report: dict[str, Any],
    parameters: BehaviourCleaningParameters,
) -> dict[str, Any]:
    """Describe the data set; small groups of users are left out."""
    pairs = train.union(validation, test, fold_in.drop("position"))
    return profile_data(items, pairs, cleaning_report, parameters.min_group_size)


def plot_profile(data_profile: dict[str, Any]) -> list[go.Figure]:
    """Draw the profile of the data, in the order of ``PLOTS``."""
    return [plot(data_profile) for plot in PLOTS.values()]


def _interaction_settings(parameters: BehaviourCleaningParameters) -> InteractionSettings:
    last_day = parameters.latest_date or (datetime.now(UTC) + timedelta(days=1)).date()
    return InteractionSettings(
        timestamps=parameters.timestamps,
        protocol=parameters.protocol,
        earliest=_unix_seconds(parameters.earliest_date),
        latest=_unix_seconds(last_day + timedelta(days=1)) - 1,
        min_rating=parameters.min_rating,
        double_click_seconds=parameters.double_click_seconds,
        robots=parameters.robots,
        k_core=parameters.k_core,
        signals=parameters.signals,
        seed=parameters.seed,
    )


def _assign(interactions: ir.Table, parameters: BehaviourCleaningParameters) -> Assignment:
    settings = SplitSettings(
        protocol=parameters.protocol,
        earliest=_unix_seconds(parameters.earliest_date),
        seed=parameters.seed,
        min_evaluated_users=parameters.min_evaluated_users,
        hidden_share=parameters.hidden_share,
        fold_in=parameters.fold_in,
    )
    return split_pairs(interactions, settings, parameters.signals)


def _unix_seconds(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


def _count_by(interactions: ir.Table, column: str) -> pd.Series:
    counts = interactions.group_by(column).aggregate(n=interactions.count()).to_pandas()
    return counts.set_index(column)["n"]
