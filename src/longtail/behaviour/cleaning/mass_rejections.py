"""Rules that reject more rows than a clean file would lose: examples and the likely cause."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ibis.expr.types as ir

EXAMPLES = 3
MAX_EXAMPLE_LENGTH = 60
MAX_COMPARED_IDS = 10_000
_ENCODING_OF_IDS = re.compile(r"^0+(?=.)|\.0+$")

COLUMNS = {
    "missing_user_id": "user_id",
    "missing_item_id": "item_id",
    "unknown_item": "item_id",
    "unparsable_timestamp": "timestamp",
    "implausible_timestamp": "timestamp",
    "missing_timestamp": "timestamp",
    "invalid_rating": "rating",
    "invalid_quantity": "quantity",
    "invalid_dwell_seconds": "dwell_seconds",
    "duplicate": "item_id",
    "double_click": "item_id",
    "duplicate_item_id": "item_id",
    "unreadable_price": "price",
}
"""The column of each rule whose values are shown. Rules that a user asks for, such as a minimum
rating, are not in it: they are meant to reject rows."""
_ASKED_FOR = {
    "rejected_item": "item_id",
    "non_product": "title",
    "below_min_rating": "rating",
    "bot": "user_id",
    "outside_k_core": "item_id",
}

_CAUSES = {
    "missing_user_id": "The column of the user ids is partly empty, or another column holds them.",
    "missing_item_id": "The column of the item ids is partly empty, or another column holds them.",
    "unparsable_timestamp": "The times have a format of their own. Set the parameter "
    "behaviour_cleaning.timestamp_format to it, such as %d.%m.%Y %H:%M for 31.12.2020 23:59, or "
    "write them as unix seconds or ISO 8601 (2020-12-31T23:59:59).",
    "implausible_timestamp": "The unit of the times is not recognised, or the parameters "
    "behaviour_cleaning.earliest_date and latest_date leave out a part of the data.",
    "missing_timestamp": "The column of the times is partly empty. The parameter "
    "behaviour_cleaning.protocol=per_user keeps rows without a time.",
    "unknown_item": "The items file is incomplete, or both files name items differently.",
    "duplicate": "A part of the file may have been exported twice.",
    "double_click": "The same event follows at once; the parameter "
    "behaviour_cleaning.double_click_seconds sets how soon.",
    "duplicate_item_id": "The items file has several rows per item, such as one per variant.",
}
_REMEDIES = {
    "rejected_item": "These items were rejected when the items file was cleaned; the parameter "
    "behaviour_cleaning.non_product_patterns says which.",
    "non_product": "The patterns of the parameter behaviour_cleaning.non_product_patterns match.",
    "below_min_rating": "The parameter behaviour_cleaning.min_rating is above these ratings; null "
    "accepts every rating.",
    "bot": "The parameter behaviour_cleaning.bots flags these users; off keeps them.",
    "outside_k_core": "The parameter behaviour_cleaning.k_core is too large for these data; null "
    "keeps all.",
}
_NUMBERS = "Numbers have digits and a decimal point only, missing ones are empty."


def mass_rejections(
    rejected: ir.Table,
    counts: dict[str, int],
    *,
    rows: int,
    max_share: float,
    min_users: int = 1,
    catalogue: ir.Table | None = None,
) -> list[dict[str, Any]]:
    """Return the rules that reject more than a share of the rows, the largest first.

    Args:
        rejected: rejected rows as they were read, with ``rule``.
        counts: number of rejected rows of each rule.
        rows: rows of the file.
        max_share: share of the rows up to which a rule is not reported.
        min_users: an example is shown if this many users have it; needs the column user_id.
        catalogue: item_id of all items, for ids that differ in how they are written only.

    Returns:
        rule, rows, share, examples (the most frequent values, as read) and likely_cause of each.
    """
    found = []
    for rule, n in sorted(counts.items(), key=lambda entry: (-entry[1], entry[0])):
        if rule not in COLUMNS or n <= max_share * rows:
            continue
        found.append(_finding(rejected, rule, n, rows, min_users, catalogue))
    return found


def nothing_left(
    rejected: ir.Table,
    report: Mapping[str, Any],
    *,
    file: str,
    readable: Mapping[str, str],
    min_users: int = 1,
    catalogue: ir.Table | None = None,
) -> str:
    """Return the sentences on a file of which no row is left: rule, values, cause, what is read.

    Args:
        rejected: rejected rows as they were read, with ``rule``.
        report: ``rows_in`` and ``rejected_by_rule``.
        file: "interactions" or "items".
        readable: what would be read, by column.
        min_users: an example is shown if this many users have it.
        catalogue: item_id of all items.
    """
    counts: Mapping[str, int] = report["rejected_by_rule"]
    listed = ", ".join(f"{rule} {n}" for rule, n in counts.items() if n)
    kind = {"interactions": "interaction", "items": "item"}[file]
    head = (
        f"No {kind} is left of the {report['rows_in']} rows of the {file} file "
        f"(rejected: {listed})."
    )
    rule = max(counts, key=lambda name: counts[name])
    finding = _finding(rejected, rule, counts[rule], report["rows_in"], min_users, catalogue)
    column = (COLUMNS | _ASKED_FOR).get(rule, "")
    wanted = f" {readable[column]}" if column in readable and rule not in _ASKED_FOR else ""
    return f"{head} {in_words(finding, file)}{wanted}"


def _finding(
    rejected: ir.Table,
    rule: str,
    n: int,
    rows: int,
    min_users: int,
    catalogue: ir.Table | None,
) -> dict[str, Any]:
    of_rule = rejected.filter(rejected.rule == rule)
    # Whom a rule flags as a bot is not shown.
    column = "" if rule == "bot" else (COLUMNS | _ASKED_FOR)[rule]
    examples = _examples(of_rule, column, min_users) if column in rejected.columns else []
    cause = _REMEDIES.get(rule) or _likely_cause(rule, examples)
    if rule == "unknown_item" and catalogue is not None:
        cause = _difference_of_ids(of_rule, catalogue) or cause
    return {
        "rule": rule,
        "rows": n,
        "share": n / rows,
        "examples": examples,
        "likely_cause": cause,
    }


def warnings_of(cleaning_report: Mapping[str, Any]) -> list[str]:
    """Return one sentence for each mass rejection in a cleaning report, items first."""
    return [
        in_words(finding, file)
        for file in ("items", "interactions")
        for finding in cleaning_report[file]["mass_rejections"]
    ]


def in_words(finding: dict[str, Any], file: str) -> str:
    """Return one sentence on a mass rejection, its examples and its cause."""
    examples = ", ".join(f"'{value}'" for value in finding["examples"])
    shown = f", for example {examples}" if examples else ""
    return (
        f"{finding['rule']}: {finding['share']:.1%} of the {file} file ({finding['rows']} rows)"
        f"{shown}. {finding['likely_cause']}"
    )


def _examples(of_rule: ir.Table, column: str, min_users: int) -> list[str]:
    values = of_rule.mutate(value=of_rule[column].fill_null(""))
    n_users = values.user_id.nunique() if "user_id" in values.columns else values.count()
    counts = values.group_by("value").aggregate(n=values.count(), n_users=n_users)
    common = counts.filter(counts.n_users >= min_users) if min_users > 1 else counts
    shown = common.order_by(common.n.desc(), common.value).limit(EXAMPLES)
    return [value[:MAX_EXAMPLE_LENGTH] for value in shown.to_pyarrow()["value"].to_pylist()]


def _likely_cause(rule: str, examples: Sequence[str]) -> str:
    if rule.startswith("missing_") and rule.endswith("_id") and any(map(str.strip, examples)):
        return (
            "Words stand for missing ids. If they are names, take them out of the parameter "
            "behaviour_cleaning.missing_ids."
        )
    if rule in _CAUSES:
        return _CAUSES[rule]
    filled = [value.strip() for value in examples if value.strip()]
    if filled and all(re.fullmatch(r"[A-Za-z/<>.-]+", value) for value in filled):
        return f"Words stand for missing numbers. {_NUMBERS}"
    if filled and all(re.fullmatch(r"[-+]?\d+,\d+", value) for value in filled):
        return (
            "The numbers have a decimal comma, or commas separate thousands. Set the parameter "
            "behaviour_cleaning.decimal_sign to comma if it is the decimal sign and no number has "
            "a point."
        )
    if any(re.search(r"\d[,'\s]\d{3}|^\D+\d|\d\s*\D+$", value) for value in filled):
        return f"The numbers have currency signs or separators of thousands. {_NUMBERS}"
    return f"These are not numbers. {_NUMBERS}"


def _difference_of_ids(of_rule: ir.Table, catalogue: ir.Table) -> str:
    """Return how unknown ids differ from those of the catalogue, "" where they are just unknown."""
    ids = of_rule.select("item_id").distinct().order_by("item_id").limit(MAX_COMPARED_IDS)
    unknown: list[str] = ids.to_pyarrow()["item_id"].drop_null().to_pylist()
    known: list[str] = catalogue.select("item_id").to_pyarrow()["item_id"].drop_null().to_pylist()
    spellings: dict[str, Callable[[str], str]] = {
        "by zeros in front or '.0' at the end: one of the files lost or gained them when ids were "
        "read as numbers. Write ids as text in both files": lambda text: _ENCODING_OF_IDS.sub(
            "", text
        ),
        "in upper and lower case. Write them alike in both files": str.lower,
    }
    for difference, spelling in spellings.items():
        written = set(map(spelling, known))
        alike = sum(spelling(text) in written for text in unknown)
        if 2 * alike > len(unknown):
            return (
                f"{alike} of {len(unknown)} unknown item ids differ from ids of the items file "
                f"only {difference}."
            )
    return ""
