"""The first screen of the report: data, run, result, price, and what not to conclude."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from longtail.metrics.headlines import WITH_TEXT, WITHOUT_TEXT

Rows = Sequence[dict[str, Any]]

# Below this many users, intervals are wide and a single user can move a mean.
FEW_USERS = 1000
# Share of the cold items with a test interaction from which the catalogue counts as one of
# consumed items only.
MOSTLY_CONSUMED = 0.9

PROTOCOLS = {
    "temporal": "temporal: one cut in time for all users",
    "per_user": "per_user: the last fifth of each user's interactions is the test",
    "item_cold": "item_cold: the test is about items that were hidden from training",
    "user_cold": "user_cold: the test is about users who were hidden from training",
}


@dataclass(frozen=True)
class ColdItems:
    """How many items have no interaction before the test, and how many of them have one in it."""

    total: int
    chosen_in_test: int


@dataclass(frozen=True)
class Summary:
    """What the first screen says.

    Attributes:
        data_set: its name.
        facts: label and value of each key figure.
        result: one sentence on the hybrid against the baseline and the best single model.
        price: one sentence on what the hybrid costs on head items.
        cautions: what the numbers do not show, one sentence each.
    """

    data_set: str
    facts: list[tuple[str, str]]
    result: str
    price: str
    cautions: list[str]


def summarise(
    profile: dict[str, Any],
    split: dict[str, Any],
    headlines: Rows,
    cold: ColdItems,
    n_users: int,
    k: int,
    confidence: float,
    run: str,
) -> Summary:
    """Return the first screen.

    Args:
        profile: the data profile.
        split: the split with its protocol.
        headlines: rows of the headlines.
        cold: the cold items.
        n_users: number of evaluated users.
        k: list length.
        confidence: coverage of the intervals.
        run: version of the run, or what stands for it.
    """
    return Summary(
        data_set=profile.get("data_set") or "unnamed data",
        facts=_facts(profile, split, n_users, k, run),
        result=_result(headlines, n_users, k, confidence),
        price=_price(headlines, k),
        cautions=_cautions(profile, split, headlines, cold, n_users),
    )


def best_single(headlines: Rows, measure: str) -> dict[str, Any] | None:
    """Return the hybrid against the best other model for a measure, None without one."""
    rivals = [
        row
        for row in headlines
        if row["measure"] == measure and row["against"] in (WITHOUT_TEXT, WITH_TEXT)
    ]
    return max(rivals, key=lambda row: float(row["baseline_value"] or 0.0), default=None)


def _facts(
    profile: dict[str, Any], split: dict[str, Any], n_users: int, k: int, run: str
) -> list[tuple[str, str]]:
    totals, months = profile["totals"], profile["months"]
    protocol = PROTOCOLS.get(split["protocol"], split["protocol"])
    if split["test_start"] is not None and months:
        day = datetime.fromtimestamp(split["test_start"], UTC).strftime("%Y-%m-%d")
        protocol += f", test from {day}"
    return [
        ("Dates", f"{months[0]['month']} to {months[-1]['month']}" if months else "none"),
        ("Users", f"{totals['users']:,}"),
        ("Items", f"{totals['items']:,}"),
        ("Interactions", f"{totals['pairs']:,}"),
        ("Evaluated", f"{n_users:,} users, lists of {k} items"),
        ("Protocol", protocol),
        ("Run", run),
    ]


def _result(headlines: Rows, n_users: int, k: int, confidence: float) -> str:
    against_baseline = _against_baseline(headlines, "overall")
    best = best_single(headlines, "overall")
    if best is None:
        return "The hybrid has no lists, or there is no other model: nothing is compared."
    interval = f"{100 * confidence:g} % interval"
    opening = f"For {n_users:,} users, NDCG@{k} of the hybrid is "
    if against_baseline is None or against_baseline["baseline"] == best["baseline"]:
        return f"{opening}{_ratio(best, interval)}, the best single model."
    return (
        f"{opening}{_ratio(against_baseline, interval)}, and"
        f" {_ratio(best, '')}, the best single model."
    )


def _price(headlines: Rows, k: int) -> str:
    against_baseline = _against_baseline(headlines, "head items")
    best = best_single(headlines, "head items")
    rows = [row for row in (against_baseline, best) if row is not None]
    if against_baseline and best and against_baseline["baseline"] == best["baseline"]:
        rows = [best]
    if not rows:
        return ""
    said = ", and ".join(_ratio(row, "") for row in rows)
    end = ", the best single model on these." if rows[-1] is best else "."
    return f"On head items, Recall@{k} is {said}{end}"


def _against_baseline(headlines: Rows, measure: str) -> dict[str, Any] | None:
    wanted = ("baseline", measure)
    rows = (row for row in headlines if (row["against"], row["measure"]) == wanted)
    return next(rows, None)


def _ratio(row: dict[str, Any], interval: str) -> str:
    """Return "1.20 times that of als (95 % interval 1.10 to 1.30, higher)"."""
    ratio, low, high = row["ratio"], row["ratio_ci_low"], row["ratio_ci_high"]
    if ratio is None:
        return f"{row['value']:.4f} against 0 of {row['baseline']} ({row['verdict']})"
    within = "" if low is None else f"{interval} {low:.2f} to {high:.2f}, ".lstrip()
    return f"{ratio:.2f} times that of {row['baseline']} ({within}{row['verdict']})"


def _cautions(
    profile: dict[str, Any], split: dict[str, Any], headlines: Rows, cold: ColdItems, n_users: int
) -> list[str]:
    said = [
        "Sales or satisfaction: lists are compared with what users chose without seeing them.",
        "Other data sets, periods and seeds: this is one data set, one split and one seed."
        " `kedro repeat` shows the spread.",
        "The effect of text: the hybrid differs from the baseline in more than text."
        " `kedro run --pipelines=arms` measures it.",
    ]
    share = cold.chosen_in_test / cold.total if cold.total else 0.0
    if share >= MOSTLY_CONSUMED:
        said.insert(
            0,
            f"Quality on new items: {cold.chosen_in_test:,} of {cold.total:,} cold items have a"
            " test interaction, so a model gains by favouring cold items as such. Read the table"
            " with warm candidates only.",
        )
    if any(row["verdict"] == "not different" for row in headlines):
        said.append("Equal quality: “not different” means that the data do not tell.")
    if n_users < FEW_USERS:
        said.append(f"Small differences: only {n_users:,} users are evaluated.")
    if split["protocol"] == "per_user" and profile["months"]:
        said.append(
            "Quality from one day to the next: each user has a cut of their own, so models know"
            " what others did later."
        )
    return said
