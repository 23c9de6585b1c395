"""Cleaning of the catalogue."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import ibis
import ibis.expr.types as ir

from longtail.behaviour.cleaning.columns import is_blank, is_missing, stripped
from longtail.behaviour.cleaning.decimal_signs import DecimalChoice, decimal_signs
from longtail.behaviour.cleaning.mass_rejections import mass_rejections, nothing_left
from longtail.behaviour.cleaning.parsing import parse_price
from longtail.behaviour.cleaning.rules import Rule, add_reason, count_rules, first_rule
from longtail.behaviour.cleaning.texts import clean_texts
from longtail.behaviour.computed import computed
from longtail.errors import UserError

TEXT_COLUMNS = ("title", "description", "categories", "brand")
_USABLE = r"[\p{L}\p{N}]"
ITEM_COLUMNS = ("item_id", *TEXT_COLUMNS, "price")


@dataclass(frozen=True)
class ItemSettings:
    """How items are cleaned.

    Attributes:
        clean_text: whether markup, mojibake and control characters are removed from the texts.
        non_product_patterns: case-insensitive regular expressions; an item is not a product if one
            of them matches anywhere in its id or title.
        missing_ids: texts, in lower case, that stand for a missing id.
        max_rejected_share: a rule that rejects a larger share of the rows is reported.
        decimal_sign: "auto" detects the decimal sign of the prices; "point" or "comma" sets it.
    """

    clean_text: bool = True
    non_product_patterns: tuple[str, ...] = ()
    missing_ids: tuple[str, ...] = ()
    max_rejected_share: float = 0.01
    decimal_sign: DecimalChoice = "auto"


class CleanItems(NamedTuple):
    """Kept items, rejected rows and the items' part of the cleaning report.

    ``catalogue`` has item_id and ``kept`` of every item, including those that are not products.
    """

    items: ir.Table
    rejected: ir.Table
    report: dict[str, Any]
    catalogue: ir.Table


def clean_items(raw: ir.Table, settings: ItemSettings) -> CleanItems:
    """Keep one row of every item that has an id and is a product.

    Of several rows with the same id, the one with the most filled columns is kept; ties go to the
    smallest hash of the content, so that the order of the file does not matter. Items without any
    text are kept: the encoder gives them a neutral vector, and behaviour can still recommend them.

    Args:
        raw: the canonical item columns, all strings.
        settings: how items are cleaned.

    Returns:
        ``items`` with texts "" where empty, price float64 or null, sorted by item_id; ``rejected``
        with the columns as read, ``rule`` and ``reason``; the report.

    Raises:
        UserError: if no item is left.
    """
    sign = decimal_signs(raw, ["price"], settings.decimal_sign)["price"]
    comma = sign == "comma"
    content = ibis.literal("|").join([raw[name].fill_null("") for name in ITEM_COLUMNS])
    # Of texts that are equal once joined, the lengths tell which field a separator belongs to.
    lengths = ibis.literal("|").join(
        [raw[name].fill_null("").length().cast("string") for name in ITEM_COLUMNS]
    )
    filled = sum((~is_blank(raw[name])).cast("int64") for name in ITEM_COLUMNS)
    described = raw.mutate(filled=filled, content=content, lengths=lengths)
    fullest_first = ibis.window(
        group_by=described.item_id,
        order_by=[
            described.filled.desc(),
            described.content.hexdigest("md5"),
            described.lengths,
        ],
    )
    ranked = described.mutate(position=ibis.row_number().over(fullest_first))
    rules = _rules(ranked, settings)
    classified = ranked.select(*ITEM_COLUMNS, rule=first_rule(rules)).pipe(computed)
    kept = classified.filter(classified.rule.isnull())
    rejected = add_reason(classified.filter(classified.rule.notnull()), rules)
    report = count_rules(classified, rules)
    if not report["rows_kept"]:
        readable = {
            "item_id": "Set the parameter behaviour_cleaning.items_columns.item_id to the column "
            "that holds the ids."
        }
        raise UserError(nothing_left(classified, report, file="items", readable=readable))
    found = _mass_rejections(classified, report, settings, decimal_comma=comma)
    typed = _typed(kept, decimal_comma=comma)
    items, changed = _clean_texts(typed) if settings.clean_text else (typed, {})
    return CleanItems(
        items.order_by("item_id"),
        rejected.order_by(*rejected.columns),
        report
        | {"mass_rejections": found}
        | _describe(items, kept, decimal_comma=comma)
        | {"texts_cleaned": changed, "decimal_signs": {"price": sign}},
        _catalogue(classified),
    )


def _rules(ranked: ir.Table, settings: ItemSettings) -> list[Rule]:
    rules = [
        Rule(
            "missing_item_id",
            "The item has no id.",
            is_missing(ranked.item_id, settings.missing_ids),
        ),
        Rule(
            "duplicate_item_id",
            "Another row of the same item was kept: it has at least as many filled columns.",
            ranked.position > 0,
        ),
    ]
    if settings.non_product_patterns:
        matches = [
            text.fill_null("").re_search(f"(?i){pattern}")
            for pattern in settings.non_product_patterns
            for text in (ranked.item_id, ranked.title)
        ]
        reason = "The id or title matches one of the non_product_patterns."
        rules.append(Rule("non_product", reason, ibis.or_(*matches)))
    return rules


def _mass_rejections(
    classified: ir.Table, report: dict[str, Any], settings: ItemSettings, *, decimal_comma: bool
) -> list[dict[str, Any]]:
    """Report unreadable prices like a rule, although their rows are kept."""
    price = parse_price(classified.price, decimal_comma=decimal_comma)
    unreadable = ~is_blank(classified.price) & price.isnull()
    rule = ibis.ifelse(
        classified.rule.isnull() & unreadable, ibis.literal("unreadable_price"), classified.rule
    )
    named = classified.mutate(rule=rule)
    n = named.filter(named.rule == "unreadable_price").count().to_pyarrow().as_py()
    counts = report["rejected_by_rule"] | {"unreadable_price": n}
    return mass_rejections(
        named, counts, rows=report["rows_in"], max_share=settings.max_rejected_share
    )


def _catalogue(classified: ir.Table) -> ir.Table:
    named = classified.filter(classified.rule.isnull() | (classified.rule == "non_product"))
    return named.select("item_id", kept=named.rule.isnull())


def _typed(kept: ir.Table, *, decimal_comma: bool) -> ir.Table:
    texts = {name: stripped(kept[name].fill_null("")) for name in TEXT_COLUMNS}
    return kept.select(
        "item_id", **texts, price=parse_price(kept.price, decimal_comma=decimal_comma)
    )


def _clean_texts(items: ir.Table) -> tuple[ir.Table, dict[str, int]]:
    """Clean the texts and count the changes; in pandas, because a catalogue fits in memory."""
    frame = items.to_pandas()
    cleaned = {name: clean_texts(frame[name].astype("str")) for name in TEXT_COLUMNS}
    changed = {name: int((cleaned[name] != frame[name]).sum()) for name in TEXT_COLUMNS}
    return ibis.memtable(frame.assign(**cleaned), schema=items.schema()), changed


def _describe(items: ir.Table, kept: ir.Table, *, decimal_comma: bool) -> dict[str, Any]:
    """Count the kept items with a text in each field, with a price, and without any text.

    A text is usable if it has a letter or a digit.
    """
    filled = {name: ~is_blank(items[name]) for name in TEXT_COLUMNS}
    any_text = ibis.or_(*filled.values())
    usable = ibis.or_(*(items[name].re_search(_USABLE) for name in TEXT_COLUMNS))
    texts = items.aggregate(
        **{name: flag.sum() for name, flag in filled.items()},
        without_text=(~any_text).sum(),
        usable=usable.sum(),
    )
    has_price = ~is_blank(kept.price)
    unreadable = has_price & parse_price(kept.price, decimal_comma=decimal_comma).isnull()
    prices = kept.aggregate(price=has_price.sum(), unreadable=unreadable.sum())
    found = texts.to_pyarrow().to_pylist()[0] | prices.to_pyarrow().to_pylist()[0]
    return {
        "filled": {name: found[name] or 0 for name in (*TEXT_COLUMNS, "price")},
        "without_text": found["without_text"] or 0,
        "usable_text": found["usable"] or 0,
        "without_text_note": "Kept: these items have behaviour, but no language evidence.",
        "unreadable_price": found["unreadable"] or 0,
    }
