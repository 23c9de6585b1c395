"""Nodes of the behaviour cleaning."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import ibis
import ibis.expr.types as ir
import pandas as pd
import plotly.graph_objects as go

from longtail.behaviour import groups
from longtail.behaviour.cleaning.columns import map_columns, unused_columns
from longtail.behaviour.cleaning.interaction_rules import InteractionSettings
from longtail.behaviour.cleaning.interactions import CleanInteractions, clean_interactions
from longtail.behaviour.cleaning.items import CleanItems, ItemSettings, clean_items
from longtail.behaviour.cleaning.understood import (
    Finding,
    describe_cleaning,
    describe_columns,
    describe_ids,
)
from longtail.behaviour.computed import computed
from longtail.behaviour.dislikes import MOMENTS, count_dislikes
from longtail.behaviour.histories import Histories, build_histories, without_pairs
from longtail.behaviour.origins import RepeatParameters, split_at_origin
from longtail.behaviour.pairs import split_pairs
from longtail.behaviour.profile import profile_data
from longtail.behaviour.splits import (
    SPLITS,
    Assignment,
    ProtocolChoice,
    SplitSettings,
    check_evaluable,
    count_evaluation,
    fingerprint,
    fold_in_table,
    split_table,
)
from longtail.errors import UserError
from longtail.pipelines.behaviour_cleaning.params import BehaviourCleaningParameters
from longtail.reporting.figures.profile import PLOTS

logger = logging.getLogger(__name__)
MAX_NAMED_EVENTS = 10


def clean_behaviour(
    raw_interactions: ir.Table,
    raw_items: ir.Table,
    parameters: BehaviourCleaningParameters,
) -> tuple[
    ir.Table, ir.Table, ir.Table, ir.Table, ir.Table, ir.Table, dict[str, Any], dict[str, Any]
]:
    """Type and clean both files, assign splits and check that they leave users to evaluate.

    All checks of the input are made here, before anything is written.

    Returns:
        interactions, rejected interactions, items, rejected items, user-item pairs with the split
        that each belongs to, disliked pairs, split protocol, cleaning report.

    Raises:
        UserError: if the input cannot be used.
    """
    item_columns = parameters.items_columns.model_dump()
    log_columns = parameters.interactions_columns.model_dump()
    unused = {
        "interactions": unused_columns(raw_interactions, log_columns),
        "items": unused_columns(raw_items, item_columns),
    }
    raw_log, raw_items, reading = read_columns(raw_interactions, raw_items, parameters)
    _say(reading)
    items = clean_items(
        raw_items,
        ItemSettings(
            parameters.clean_text,
            parameters.non_product_patterns,
            parameters.missing_ids,
            parameters.max_rejected_share,
            parameters.decimal_sign,
        ),
    )
    settings = _interaction_settings(parameters)
    log = clean_interactions(raw_log, items.catalogue, settings)
    if not any(kind["positive_rows"] for kind in log.report["event_types"]):
        _say(_in_sentences(log, items, parameters))
        raise UserError(_nothing_positive(log.report["event_types"]))
    assignment = _assign(log.events, parameters)
    reason = assignment.reason
    if assignment.protocol == "per_user" and log.report["rejected_by_rule"].get(
        "missing_timestamp"
    ):
        # Rows without a time were rejected for a temporal split, but the split is per user.
        log = clean_interactions(raw_log, items.catalogue, replace(settings, protocol="per_user"))
        assignment = _assign(log.events, parameters)
    assignment = replace(assignment, reason=reason)
    understood = _in_sentences(log, items, parameters)
    _say(understood)
    evaluation = count_evaluation(assignment, items.report["rows_kept"])
    if not evaluation["users"]:
        raise UserError(_nothing_positive(log.report["event_types"]))
    check_evaluable(evaluation)
    logger.info("Split protocol %s: %s", assignment.protocol, reason)
    assert assignment.dislikes is not None
    report = {
        "understood": [*reading, *understood],
        "interactions": log.report | {"unused_columns": unused["interactions"]},
        "items": items.report | {"unused_columns": unused["items"]},
        "evaluation": evaluation,
        "dislikes": count_dislikes(assignment.dislikes, assignment.interactions),
    }
    # Sorted, so that equal inputs give equal files however many threads the engine uses.
    pairs = assignment.interactions.order_by("user_id", "item_id")
    return (
        log.interactions,
        log.rejected,
        items.items,
        items.rejected,
        pairs,
        assignment.dislikes,
        assignment.describe(),
        report,
    )


def split_interactions(
    pairs: ir.Table,
    disliked_pairs: ir.Table,
    interactions: ir.Table,
    split_protocol: dict[str, Any],
    parameters: BehaviourCleaningParameters,
    repeat: RepeatParameters,
) -> tuple[ir.Table, ir.Table, ir.Table, ir.Table, ir.Table, dict[str, Any]]:
    """Write the user-item pairs of each split as a sorted table of its own.

    The protocol is the one chosen for the whole log, also at an earlier origin.

    Returns:
        train, validation and test interactions; the folded-in interactions (empty except under the
        protocol user_cold); the dislikes known at validation and test; protocol, reason, origin,
        cut-offs, counts and fingerprint.

    Raises:
        UserError: if the log has no earlier origin, or no user can be evaluated there.
    """
    seed = repeat.seed_or(parameters.seed)
    if repeat.origin > 0 or seed != parameters.seed:
        settings = _split_settings(parameters, split_protocol["protocol"], seed)
        assignment = split_at_origin(interactions, settings, parameters.signals, repeat.origin)
        check_evaluable(count_evaluation(assignment, n_items=0))
        assert assignment.dislikes is not None
        pairs, disliked_pairs = assignment.interactions, assignment.dislikes
        split_protocol = assignment.describe() | {"reason": split_protocol["reason"]}
    train, validation, test = (computed(split_table(pairs, name)) for name in SPLITS)
    fold_in = computed(fold_in_table(pairs, seed))
    is_folded = split_protocol["protocol"] == "user_cold"
    split = split_protocol | {
        "origin": repeat.origin,
        "fold_in": parameters.fold_in if is_folded else None,
        "fingerprint": fingerprint([train, validation, test, *([fold_in] if is_folded else [])]),
        "n_train": train.count().to_pyarrow().as_py(),
        "n_validation": validation.count().to_pyarrow().as_py(),
        "n_test": test.count().to_pyarrow().as_py(),
    }
    return train, validation, test, fold_in, disliked_pairs, split


def group_items_and_users(
    items: ir.Table, train: ir.Table, validation: ir.Table, test: ir.Table, dislikes: ir.Table
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Group items by popularity and users by history length, both before the test period.

    Users who only dislike are in the table too: no list may hold what they dislike.

    Returns:
        item groups in catalogue order, user groups sorted by user_id.
    """
    history = train.union(validation)
    item_ids = items.select("item_id").order_by("item_id").to_pandas()["item_id"]
    users = history.union(test).select("user_id").union(dislikes.select("user_id")).distinct()
    user_ids = users.order_by("user_id").to_pandas()["user_id"]
    return (
        groups.item_groups(item_ids, _count_by(history, "item_id")),
        groups.user_groups(user_ids, _count_by(history, "user_id")),
    )


def index_histories(
    train: pd.DataFrame,
    validation: pd.DataFrame,
    dislikes: pd.DataFrame,
    item_groups: pd.DataFrame,
    user_groups: pd.DataFrame,
    split_protocol: dict[str, Any],
    parameters: BehaviourCleaningParameters,
    repeat: RepeatParameters,
) -> tuple[Histories, Histories, Histories]:
    """Put the interactions before the test on one index of all users and items.

    The histories of the training period hold the dislikes known when validation begins, those of
    both periods the dislikes known when the test begins. A training pair that has become a dislike
    by then is no interaction of the latter.

    Returns:
        The histories of the training period, of the validation period, and of both together.
    """
    users = user_groups["user_id"].to_numpy(dtype=object)
    items = item_groups["item_id"].to_numpy(dtype=object)
    at_validation, at_test = (dislikes[dislikes["known_at"] == moment] for moment in MOMENTS)
    past = without_pairs(pd.concat([train, validation]), at_test)
    training, held_out, both = (
        build_histories(
            period,
            users,
            items,
            common_cutoff=split_protocol["test_start"] is not None,
            seed=repeat.seed_or(parameters.seed),
            dislikes=disliked,
        )
        for period, disliked in ((train, at_validation), (validation, None), (past, at_test))
    )
    return training, held_out, both


def profile_behaviour(
    items: ir.Table,
    train: ir.Table,
    validation: ir.Table,
    test: ir.Table,
    fold_in: ir.Table,
    cleaning_report: dict[str, Any],
    parameters: BehaviourCleaningParameters,
    data_set: str,
) -> dict[str, Any]:
    """Name and summarise the data set; groups smaller than ``min_group_size`` are left out."""
    columns = ("user_id", "item_id", "timestamp", "weight")
    pairs = ibis.union(*(table.select(*columns) for table in (train, validation, test, fold_in)))
    profile = profile_data(items, pairs, cleaning_report, parameters.min_group_size)
    return {"data_set": data_set} | profile


def plot_profile(data_profile: dict[str, Any]) -> list[go.Figure]:
    """Draw the figures of the data profile, in the order of ``PLOTS``."""
    return [plot(data_profile) for plot in PLOTS.values()]


def read_columns(
    raw_interactions: ir.Table, raw_items: ir.Table, parameters: BehaviourCleaningParameters
) -> tuple[ir.Table, ir.Table, list[Finding]]:
    """Map the columns of both files, and say which are read and what the ids are.

    Returns:
        The canonical columns of interactions and items, all strings, and the sentences.

    Raises:
        UserError: if a column is missing.
    """
    item_columns = parameters.items_columns.model_dump()
    log_columns = parameters.interactions_columns.model_dump()
    item_ids, log_ids = ["item_id"], ["user_id", "item_id"]
    items = map_columns(raw_items, item_columns, required=item_ids, file="items")
    log = map_columns(raw_interactions, log_columns, required=log_ids, file="interactions")
    said = [
        *describe_columns("items", raw_items.columns, item_columns),
        *describe_ids("items", items, item_ids),
        *describe_columns("interactions", raw_interactions.columns, log_columns),
        *describe_ids("interactions", log, log_ids),
    ]
    return log, items, said


def _in_sentences(
    log: CleanInteractions, items: CleanItems, parameters: BehaviourCleaningParameters
) -> list[Finding]:
    return describe_cleaning(
        log.report,
        items.report,
        rating_column=parameters.interactions_columns.rating,
        signals=parameters.signals,
        min_rating=parameters.min_rating,
    )


def _say(findings: Sequence[Finding]) -> None:
    """Log what was understood; doubts are warnings."""
    for finding in findings:
        level = logging.WARNING if finding["is_doubt"] else logging.INFO
        logger.log(level, "%s: %s", finding["file"], finding["sentence"])


def _nothing_positive(event_types: list[dict[str, Any]]) -> str:
    weights = ", ".join(
        f"{kind['event_type'] or 'without a type'} {kind['mean_weight']:g} ({kind['rows']} rows)"
        for kind in event_types[:MAX_NAMED_EVENTS]
    )
    return (
        "No positive interaction is left to learn from: no user-item pair has a weight above 0. "
        f"Mean weights by event type: {weights}. Change them with the parameter "
        "behaviour_cleaning.signals or behaviour_cleaning.preset, or set both to null, so that "
        "every pair weighs 1."
    )


def _interaction_settings(parameters: BehaviourCleaningParameters) -> InteractionSettings:
    last_day = parameters.latest_date or (datetime.now(UTC) + timedelta(days=1)).date()
    return InteractionSettings(
        timestamps=parameters.timestamps,
        protocol=parameters.protocol,
        earliest=_unix_seconds(parameters.earliest_date),
        latest=_unix_seconds(last_day + timedelta(days=1)) - 1,
        min_rating=parameters.min_rating,
        double_click_seconds=parameters.double_click_seconds,
        bots=parameters.bots,
        k_core=parameters.k_core,
        signals=parameters.signals,
        seed=parameters.seed,
        missing_ids=parameters.missing_ids,
        max_rejected_share=parameters.max_rejected_share,
        min_group_size=parameters.min_group_size,
        timestamp_format=parameters.timestamp_format,
        decimal_sign=parameters.decimal_sign,
    )


def _assign(interactions: ir.Table, parameters: BehaviourCleaningParameters) -> Assignment:
    settings = _split_settings(parameters, parameters.protocol, parameters.seed)
    return split_pairs(interactions, settings, parameters.signals)


def _split_settings(
    parameters: BehaviourCleaningParameters, protocol: ProtocolChoice, seed: int
) -> SplitSettings:
    return SplitSettings(
        protocol=protocol,
        earliest=_unix_seconds(parameters.earliest_date),
        seed=seed,
        min_evaluated_users=parameters.min_evaluated_users,
        hidden_share=parameters.hidden_share,
        fold_in=parameters.fold_in,
    )


def _unix_seconds(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


def _count_by(interactions: ir.Table, column: str) -> pd.Series:
    counts = interactions.group_by(column).aggregate(n=interactions.count()).to_pandas()
    by_id: pd.Series = counts.set_index(column)["n"]
    return by_id
