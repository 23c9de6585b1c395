"""Rejection rules: named conditions with a reason, applied in order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ibis
import ibis.expr.types as ir


@dataclass(frozen=True)
class Rule:
    """A reason to reject a row.

    Attributes:
        name: short name, the key in the cleaning report.
        reason: sentence stored with the rejected row.
        condition: boolean expression on the table that the rules are applied to; null is false.
    """

    name: str
    reason: str
    condition: ir.BooleanValue


def first_rule(rules: Sequence[Rule]) -> ir.StringValue:
    """Return the name of the first rule that rejects a row, null for rows to keep."""
    return ibis.cases(
        *[(rule.condition.fill_null(False), rule.name) for rule in rules],
        else_=ibis.null("string"),
    )


def add_reason(rejected: ir.Table, rules: Sequence[Rule]) -> ir.Table:
    """Add ``reason``, the sentence of the rule named in the column ``rule``."""
    reasons = [(rejected.rule == rule.name, rule.reason) for rule in rules]
    return rejected.mutate(reason=ibis.cases(*reasons, else_=ibis.null("string")))


def count_rules(classified: ir.Table, rules: Sequence[Rule]) -> dict[str, Any]:
    """Count rows in, rows kept, and rows rejected by each rule (0 where it rejected none)."""
    counts = classified.group_by("rule").aggregate(n=classified.count()).to_pyarrow().to_pydict()
    found: Mapping[str | None, int] = dict(zip(counts["rule"], counts["n"], strict=True))
    rejected = {rule.name: found.get(rule.name, 0) for rule in rules}
    return {
        "rows_in": sum(found.values()),
        "rows_kept": found.get(None, 0),
        "rows_rejected": sum(rejected.values()),
        "rejected_by_rule": rejected,
    }
