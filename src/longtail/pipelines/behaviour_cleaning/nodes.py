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
from longtail.behaviour.cleaning.interactions import clean_interactions
from longtail.behaviour.cleaning.items import ItemSettings, clean_items
from longtail.behaviour.cleaning.mass_rejections import warnings_of
from longtail.behaviour.dislikes import MOMENTS, count_dislikes
from longtail.behaviour.histories import Histories, build_histories, without_pairs
from longtail.behaviour.origins import RepeatParameters, split_at_origin
from longtail.behaviour.pairs import split_pairs
from longtail.behaviour.profile import profile_data
from longtail.behaviour.signals import Signals
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
MAX_NAMED_COLUMNS = 10


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
    raw_items = map_columns(raw_items, item_columns, required=["item_id"], file="items")
    raw_log = map_columns(
        raw_interactions, log_columns, required=["user_id", "item_id"], file="interactions"
    )
    items = clean_items(
        raw_items,
        ItemSettings(
            parameters.clean_text,
            parameters.non_product_patterns,
            parameters.missing_ids,
            parameters.max_rejected_share,
        ),
    )
    settings = _interaction_settings(parameters)
    log = clean_interactions(raw_log, items.catalogue, settings)
    _check_positive(log.report["event_types"])
    _warn_of_unlisted_events(log.report["event_types"], parameters.signals)
    assignment = _assign(log.events, parameters)
    reason = assignment.reason
    if assignment.protocol == "per_user" and log.report["rejected_by_rule"].get(
        "missing_timestamp"
    ):
        # Rows without a time were rejected for a temporal split, but the split is per user.
        log = clean_interactions(raw_log, items.catalogue, replace(settings, protocol="per_user"))
        assignment = _assign(log.events, parameters)
    assignment = replace(assignment, reason=reason)
    for file, columns in unused.items():
        _say_unused(file, columns)
    _say_usable_texts(items.report)
    _warn_of_counts(log.report["ratings"], parameters.interactions_columns.rating)
    for warning in warnings_of({"interactions": log.report, "items": items.report}):
        logger.warning("%s", warning)
    evaluation = count_evaluation(assignment, items.report["rows_kept"])
    if not evaluation["users"]:
        raise UserError(_nothing_positive(log.report["event_types"]))
    check_evaluable(evaluation)
    logger.info("%s", _timestamps_in_words(log.report["timestamps"]))
    logger.info("Split protocol %s: %s", assignment.protocol, reason)
    assert assignment.dislikes is not None
    report = {
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
    train, validation, test = (split_table(pairs, name).cache() for name in SPLITS)
    fold_in = fold_in_table(pairs, seed).cache()
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


def _timestamps_in_words(timestamps: dict[str, Any]) -> str:
    """Say how the times were read, and how to change that where it was a guess."""
    kind, unit = timestamps["kind"], timestamps["unit"]
    if kind == "none":
        return "The interactions have no times: their order is unknown."
    if kind == "calendar" and unit not in ("spreadsheet days", "yyyymmdd"):
        return f"The times are calendar times ({unit})."
    if kind == "calendar":
        return (
            f"The times are read as dates ({unit}). If they are positions, set the parameter "
            "behaviour_cleaning.timestamps to ordinal."
        )
    return (
        f"The times are read as {unit} in a sequence, not as dates. If they are dates, write them "
        "as unix seconds or ISO 8601."
    )


def _say_unused(file: str, columns: Sequence[str]) -> None:
    """Name the columns of a file that no parameter maps, and how they can be used."""
    if not columns:
        return
    use = {
        "interactions": "Counts and strengths are used as "
        "behaviour_cleaning.interactions_columns.quantity, with a preset.",
        "items": "Text is used where behaviour_cleaning.items_columns names its column, as brand, "
        "categories or description.",
    }
    logger.info(
        "Not used of the %s file: %s. %s", file, ", ".join(columns[:MAX_NAMED_COLUMNS]), use[file]
    )


def _say_usable_texts(report: dict[str, Any]) -> None:
    """Say how many items a language model can say something about."""
    usable, n = report["usable_text"], report["rows_kept"]
    logger.info("%d of %d items have a usable text (with a letter or a digit).", usable, n)


def _warn_of_counts(ratings: dict[str, Any], column: str | None) -> None:
    """Say that ratings look like counts, which a minimum rating would cut at the wrong end."""
    if ratings["look_like_counts"]:
        logger.warning(
            "The ratings are whole numbers from %g to %g and look like counts, of which "
            "behaviour_cleaning.min_rating would remove the small ones. If they are counts, set "
            "behaviour_cleaning.interactions_columns.quantity to %s and "
            "behaviour_cleaning.interactions_columns.rating to null.",
            ratings["lowest"],
            ratings["highest"],
            column,
        )


def _warn_of_unlisted_events(event_types: list[dict[str, Any]], signals: Signals | None) -> None:
    """Say which event types have no weight of their own, where others have one."""
    if signals is None or not signals.event_weights:
        return
    listed = {name.lower() for name in signals.event_weights}
    names = [kind["event_type"].strip() for kind in event_types]
    unlisted = [name for name in names if name and name.lower() not in listed]
    if unlisted:
        logger.warning(
            "The event types %s have no weight of their own and count %g "
            "(behaviour_cleaning.signals.other_weight). Give them weights in "
            "behaviour_cleaning.signals.event_weights.",
            ", ".join(unlisted[:MAX_NAMED_EVENTS]),
            signals.other_weight,
        )


def _check_positive(event_types: list[dict[str, Any]]) -> None:
    if not any(kind["positive_rows"] for kind in event_types):
        raise UserError(_nothing_positive(event_types))


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
