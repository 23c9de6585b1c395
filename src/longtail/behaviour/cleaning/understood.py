"""What was understood of the two input files, in sentences, and the doubts that remain."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypedDict

import ibis.expr.types as ir

from longtail.behaviour.cleaning.columns import is_blank, stripped
from longtail.behaviour.cleaning.mass_rejections import in_words
from longtail.behaviour.signals import Signals

MAX_NAMED = 10
NAMED_RULES = 3
_USE = {
    "interactions": "Counts and strengths are used as "
    "behaviour_cleaning.interactions_columns.quantity, with a preset.",
    "items": "Text is used where behaviour_cleaning.items_columns names its column, as brand, "
    "categories or description.",
}


class Finding(TypedDict):
    """One sentence on an input file.

    ``is_doubt``: whether the sentence is a doubt; it then names the parameter that settles it.
    """

    file: str
    topic: str
    sentence: str
    is_doubt: bool


def describe_columns(
    file: str, columns: Sequence[str], mapping: Mapping[str, str | None]
) -> list[Finding]:
    """Say which columns are read, which are missing and which are not used.

    Args:
        file: "interactions" or "items".
        columns: of the input table.
        mapping: canonical name to the name in the file.
    """
    read = [
        name if name == source else f"{name} (from {source})"
        for name, source in mapping.items()
        if source in columns
    ]
    missing = [name for name, source in mapping.items() if source not in columns]
    sentence = f"Columns read: {', '.join(read)}."
    if missing:
        sentence += f" Not in the file: {', '.join(missing)}."
    found = [_finding(file, "columns", sentence)]
    if unused := [name for name in columns if name not in mapping.values()]:
        named = ", ".join(unused[:MAX_NAMED])
        sentence = f"Not used of the {file} file: {named}. {_USE[file]}"
        found.append(_finding(file, "unused columns", sentence, is_doubt=True))
    return found


def describe_ids(file: str, table: ir.Table, names: Sequence[str]) -> list[Finding]:
    """Say what the ids are: numbers, numbers with zeros in front, text; one pass over the table.

    Args:
        file: "interactions" or "items".
        table: the canonical columns, all strings.
        names: columns of ids.
    """
    facts: dict[str, ir.Value] = {}
    for name in names:
        text = stripped(table[name])
        facts |= {
            f"{name}_filled": (~is_blank(text)).sum(),
            f"{name}_digits": text.re_search(r"^\d+$").sum(),
            f"{name}_padded": text.re_search(r"^0\d+$").sum(),
            f"{name}_decimal": text.re_search(r"^\d+\.0+$").sum(),
        }
    found = table.aggregate(**facts).to_pyarrow().to_pylist()[0]
    kinds = [
        f"{name}: {_kind_of_ids(*(found[f'{name}_{fact}'] or 0 for fact in _ID_FACTS))}"
        for name in names
    ]
    doubts = [
        f"{name}: {found[f'{name}_decimal']} ids such as '54.0' stand beside whole numbers such as"
        " '54' and are read as other ids than these. Write all of them in one way."
        for name in names
        if found[f"{name}_decimal"] and found[f"{name}_digits"]
    ]
    return [
        _finding(file, "ids", f"Ids: {'; '.join(kinds)}."),
        *(_finding(file, "ids", doubt, is_doubt=True) for doubt in doubts),
    ]


_ID_FACTS = ("filled", "digits", "padded")


def _kind_of_ids(filled: int, digits: int, padded: int) -> str:
    if not filled:
        return "empty"
    if digits < filled:
        return "text" if digits < filled / 2 else f"text, {digits} of {filled} are numbers"
    return f"numbers, {padded} of {filled} with zeros in front" if padded else "whole numbers"


def describe_cleaning(
    interactions: Mapping[str, Any],
    items: Mapping[str, Any],
    *,
    rating_column: str | None,
    signals: Signals | None,
    min_rating: float | None,
) -> list[Finding]:
    """Say how the values were read and how many rows are kept.

    Args:
        interactions: their part of the cleaning report.
        items: their part of the cleaning report.
        rating_column: column that the ratings are read from.
        signals: weights of the events.
        min_rating: ratings from here on count; None: all do.
    """
    return [
        *_signs("items", items["decimal_signs"]),
        *_prices(items),
        _usable_texts(items),
        _kept("items", items),
        *_mass_rejections("items", items),
        *_times(interactions["timestamps"] | interactions["period"]),
        *_signs("interactions", interactions["decimal_signs"]),
        *_ratings(interactions["ratings"], rating_column),
        *_uncounted(interactions["filled"], signals, min_rating),
        *_event_types(interactions["event_types"], signals),
        _kept("interactions", interactions),
        *_mass_rejections("interactions", interactions),
    ]


def lines(findings: Iterable[Finding]) -> list[str]:
    """Return one line for each finding; doubts begin with a question mark."""
    return [
        f"{'?' if finding['is_doubt'] else ' '} {finding['file']}: {finding['sentence']}"
        for finding in findings
    ]


def _finding(file: str, topic: str, sentence: str, *, is_doubt: bool = False) -> Finding:
    return Finding(file=file, topic=topic, sentence=sentence, is_doubt=is_doubt)


def _times(timestamps: Mapping[str, Any]) -> list[Finding]:
    """Say how the times were read, and how to change that where it was a guess."""
    kind, unit = timestamps["kind"], timestamps["unit"]
    if kind == "none":
        sentence = "The interactions have no times: their order is unknown."
        return [_finding("interactions", "times", sentence)]
    if kind == "ordinal":
        sentence = (
            f"The times are read as {unit} in a sequence, not as dates. If they are dates, write "
            "them as unix seconds or ISO 8601, or set behaviour_cleaning.timestamp_format."
        )
        return [_finding("interactions", "times", sentence, is_doubt=True)]
    days = [_day(timestamps[name]) for name in ("first", "last")]
    span = f" from {days[0]} to {days[1]}" if all(days) else ""
    if unit in ("spreadsheet days", "yyyymmdd"):
        sentence = (
            f"The times are read as dates ({unit}, UTC){span}. If they are positions, set the "
            "parameter behaviour_cleaning.timestamps to ordinal."
        )
        return [_finding("interactions", "times", sentence, is_doubt=True)]
    without_zone = "" if unit in _UNIX else "; UTC where they have no zone"
    sentence = f"The times are calendar times ({unit}{without_zone}){span}."
    return [_finding("interactions", "times", sentence)]


_UNIX = ("seconds", "milliseconds", "microseconds", "nanoseconds")


def _day(seconds: int | None) -> str:
    return "" if seconds is None else f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}"


def _signs(file: str, signs: Mapping[str, str]) -> list[Finding]:
    found = []
    if commas := [name for name, sign in signs.items() if sign == "comma"]:
        sentence = f"Decimal commas are read in {', '.join(commas)}."
        found.append(_finding(file, "decimal sign", sentence))
    if unclear := [name for name, sign in signs.items() if sign == "unclear"]:
        sentence = (
            f"Commas in {', '.join(unclear)} may be decimal signs or separate thousands, as in "
            "1,299: these numbers are not read. If they are decimal signs, set the parameter "
            "behaviour_cleaning.decimal_sign to comma; else write the numbers without commas."
        )
        found.append(_finding(file, "decimal sign", sentence, is_doubt=True))
    return found


def _prices(items: Mapping[str, Any]) -> list[Finding]:
    n = items["unreadable_price"]
    # Mass rejections show examples and the cause.
    if not n or any(one["rule"] == "unreadable_price" for one in items["mass_rejections"]):
        return []
    sentence = (
        f"{n} of {items['filled']['price']} prices are not readable and count as missing. The "
        "parameter behaviour_cleaning.decimal_sign sets the decimal sign; currency signs and "
        "separators of thousands must be removed from the file."
    )
    return [_finding("items", "prices", sentence, is_doubt=True)]


def _usable_texts(items: Mapping[str, Any]) -> Finding:
    """Say how many items a language model can say something about."""
    usable, n = items["usable_text"], items["rows_kept"]
    sentence = f"{usable} of {n} items have a usable text (with a letter or a digit)."
    if usable == n:
        return _finding("items", "texts", sentence)
    sentence += " The parameter behaviour_cleaning.items_columns names the columns of text."
    return _finding("items", "texts", sentence, is_doubt=2 * usable < n)


def _ratings(ratings: Mapping[str, Any], column: str | None) -> list[Finding]:
    """Say the range of the ratings, and if they look like counts."""
    lowest, highest = ratings["lowest"], ratings["highest"]
    if lowest is None:
        return []
    if not ratings["look_like_counts"]:
        return [_finding("interactions", "ratings", f"Ratings are {lowest:g} to {highest:g}.")]
    sentence = (
        f"The ratings are whole numbers from {lowest:g} to {highest:g} and look like counts, of "
        "which behaviour_cleaning.min_rating would remove the small ones. If they are counts, set "
        f"behaviour_cleaning.interactions_columns.quantity to {column} and "
        "behaviour_cleaning.interactions_columns.rating to null."
    )
    return [_finding("interactions", "ratings", sentence, is_doubt=True)]


def _uncounted(
    filled: Mapping[str, int], signals: Signals | None, min_rating: float | None
) -> list[Finding]:
    """Name the columns of numbers that are read but change no weight."""
    counted = {
        "rating": min_rating is not None or (signals is not None and signals.ratings != "ignore"),
        "quantity": signals is not None and signals.quantities != "ignore",
        "dwell_seconds": signals is not None and signals.dwell is not None,
    }
    settle = {
        "rating": "behaviour_cleaning.min_rating or behaviour_cleaning.signals.ratings",
        "quantity": "behaviour_cleaning.preset or behaviour_cleaning.signals.quantities",
        "dwell_seconds": "behaviour_cleaning.preset or behaviour_cleaning.signals.dwell",
    }
    return [
        _finding(
            "interactions",
            "weights",
            f"{name} is filled in {filled[name]} rows but does not count: set {settle[name]}.",
            is_doubt=True,
        )
        for name, counts in counted.items()
        if filled[name] and not counts
    ]


def _event_types(
    event_types: Sequence[Mapping[str, Any]], signals: Signals | None
) -> list[Finding]:
    """Say what event types there are, and which have no weight of their own."""
    kinds = [kind for kind in event_types if kind["event_type"].strip()]
    if not kinds:
        return []
    weights = ", ".join(
        f"{kind['event_type']} {kind['mean_weight']:g} ({kind['rows']} rows)"
        for kind in event_types[:MAX_NAMED]
        if kind["event_type"].strip()
    )
    found = [_finding("interactions", "event types", f"Event types and mean weights: {weights}.")]
    if signals is None or not signals.event_weights:
        if len(kinds) > 1:
            sentence = (
                "All event types count alike. The parameter behaviour_cleaning.preset, or "
                "behaviour_cleaning.signals.event_weights, weighs them."
            )
            found.append(_finding("interactions", "event types", sentence, is_doubt=True))
        return found
    listed = {name.lower() for name in signals.event_weights}
    names = [kind["event_type"].strip() for kind in kinds]
    if unlisted := [name for name in names if name.lower() not in listed]:
        sentence = (
            f"The event types {', '.join(unlisted[:MAX_NAMED])} have no weight of their own and "
            f"count {signals.other_weight:g} (behaviour_cleaning.signals.other_weight). Give them "
            "weights in behaviour_cleaning.signals.event_weights."
        )
        found.append(_finding("interactions", "event types", sentence, is_doubt=True))
    return found


def _kept(file: str, report: Mapping[str, Any]) -> Finding:
    """Say which share of the rows is kept, and the rules that reject most."""
    by_size = sorted(report["rejected_by_rule"].items(), key=lambda entry: (-entry[1], entry[0]))
    largest = ", ".join(f"{rule} {n}" for rule, n in by_size[:NAMED_RULES] if n)
    share = report["rows_kept"] / report["rows_in"]
    sentence = f"{share:.1%} of {report['rows_in']} rows are kept"
    return _finding(
        file, "rows", f"{sentence}; rejected: {largest}." if largest else f"{sentence}."
    )


def _mass_rejections(file: str, report: Mapping[str, Any]) -> list[Finding]:
    return [
        _finding(file, "rejections", in_words(finding, file), is_doubt=True)
        for finding in report["mass_rejections"]
    ]
