"""The data profile as a table for the terminal."""

from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table


def profile_table(profile: dict[str, Any]) -> Table:
    """Return the key figures of a data set, one per line."""
    totals = profile["totals"]
    table = Table(
        title="Data profile",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        show_header=False,
        padding=(0, 2),
    )
    table.add_column(no_wrap=True)
    table.add_column()
    months = [row["month"] for row in profile["months"]]
    rejected = [f"{row['rule']} {row['rows']:,}" for row in profile["rules"] if row["rows"]]
    filled = [f"{name} {100 * share:.0f} %" for name, share in profile["filled"].items()]
    rows = {
        "rows": f"{totals['rows_in']:,} read, {totals['rows_kept']:,} kept",
        "rejected": ", ".join(rejected) or "none",
        "users": f"{totals['users']:,} with {totals['mean_history']:.1f} items on average (median "
        f"{totals['median_history']:g})",
        "items": f"{totals['items']:,}: {totals['unused_items']:,} without interactions, "
        f"{totals['rare_items']:,} with 1 to 5",
        "interactions": f"{totals['pairs']:,} user-item pairs, density "
        f"{100 * totals['density']:.3f} %",
        "dislikes": f"{totals['dislikes']:,} user-item pairs before the test, never recommended; "
        f"{totals['dislikes_chosen_later']:,} of them are chosen in the test",
        "head and tail": f"{totals['head_items']:,} head items have "
        f"{100 * totals['head_share']:.1f} % of the interactions, {totals['tail_items']:,} tail "
        f"items have {100 * totals['tail_share']:.1f} %; Gini {totals['gini']:.3f}",
        "time": f"{months[0]} to {months[-1]}" if months else "no calendar times",
        "filled fields": ", ".join(filled),
    }
    for name, text in rows.items():
        table.add_row(name, text)
    return table


def print_profile(profile: dict[str, Any]) -> None:
    """Print the table to the standard output."""
    Console().print(profile_table(profile))
