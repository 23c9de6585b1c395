"""Cleaning of the catalogue."""

from typing import Any, NamedTuple

import ibis
import ibis.expr.types as ir

from longtail.behaviour.columns import is_blank
from longtail.behaviour.parsing import parse_number
from longtail.behaviour.rules import Rule, add_reason, count_rules, first_rule
from longtail.errors import UserError

TEXT_COLUMNS = ("title", "description", "categories", "brand")
ITEM_COLUMNS = ("item_id", *TEXT_COLUMNS, "price")


class CleanItems(NamedTuple):
    """Kept items, rejected rows and the items' part of the cleaning report."""

    items: ir.Table
    rejected: ir.Table
    report: dict[str, Any]


def clean_items(raw: ir.Table) -> CleanItems:
    """Keep one row of every item that has an id.

    Of rows with the same id the one with most columns filled is kept, then the smallest hash of
    its content, so that the order of the file does not matter. Items without any text are kept:
    the encoder gives them a neutral vector and they can still be recommended from behaviour.

    Args:
        raw: The canonical item columns, all strings.

    Returns:
        ``items`` with texts "" where empty, price float64 or null, sorted by item_id; ``rejected``
        with the columns as read, ``rule`` and ``reason``; the report.

    Raises:
        UserError: When no item is left.
    """
    content = ibis.literal("|").join([raw[name].fill_null("") for name in ITEM_COLUMNS])
    filled = sum((~is_blank(raw[name])).cast("int64") for name in ITEM_COLUMNS)
    described = raw.mutate(filled=filled, content=content)
    fullest_first = ibis.window(
        group_by=described.item_id,
        order_by=[described.filled.desc(), described.content.hexdigest("md5")],
    )
    ranked = described.mutate(position=ibis.row_number().over(fullest_first))
    rules = [
        Rule("missing_item_id", "The item has no id.", is_blank(ranked.item_id)),
        Rule(
            "duplicate_item_id",
            "Another row of the same item has as many or more columns filled.",
            ranked.position > 0,
        ),
    ]
    classified = ranked.select(*ITEM_COLUMNS, rule=first_rule(rules)).cache()
    kept = classified.filter(classified.rule.isnull())
    rejected = add_reason(classified.filter(classified.rule.notnull()), rules)
    report = count_rules(classified, rules) | _describe(kept)
    if not report["rows_kept"]:
        raise UserError(
            f"No item is left of the {report['rows_in']} rows of the items file: every item_id is "
            "empty. Give the column with the ids in the parameter "
            "behaviour_cleaning.items_columns.item_id."
        )
    return CleanItems(
        _typed(kept).order_by("item_id"), rejected.order_by(*rejected.columns), report
    )


def _typed(kept: ir.Table) -> ir.Table:
    texts = {name: kept[name].fill_null("").strip() for name in TEXT_COLUMNS}
    return kept.select("item_id", **texts, price=parse_number(kept.price))


def _describe(kept: ir.Table) -> dict[str, Any]:
    """Count what the kept items hold: text per field, prices, items without any text."""
    filled = {name: ~is_blank(kept[name]) for name in (*TEXT_COLUMNS, "price")}
    any_text = ibis.or_(*[filled[name] for name in TEXT_COLUMNS])
    counts = kept.aggregate(
        **{name: flag.sum() for name, flag in filled.items()},
        without_text=(~any_text).sum(),
        unreadable_price=(filled["price"] & parse_number(kept.price).isnull()).sum(),
    )
    found = {name: values[0] or 0 for name, values in counts.to_pyarrow().to_pydict().items()}
    return {
        "filled": {name: found[name] for name in filled},
        "without_text": found["without_text"],
        "without_text_note": "Kept: they have no language evidence, only behaviour.",
        "unreadable_price": found["unreadable_price"],
    }
