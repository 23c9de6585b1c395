"""Figures of the data profile."""

from typing import Any

import plotly.graph_objects as go

from longtail.reporting.figures.style import COLOURS, base_figure

Profile = dict[str, Any]


def popularity_lorenz_plot(profile: Profile) -> go.Figure:
    """Draw the distribution of the interactions over the catalogue (Lorenz, 1905)."""
    totals = profile["totals"]
    figure = base_figure(
        f"The {totals['head_items']:,} head items have {100 * totals['head_share']:.0f} % of the "
        f"interactions (Gini {totals['gini']:.2f})",
        "Items, least popular first (% of the catalogue)",
        "Interactions (% of all)",
    )
    figure.add_trace(
        go.Scatter(
            x=[100 * share for share in profile["lorenz"]["items"]],
            y=[100 * share for share in profile["lorenz"]["interactions"]],
            mode="lines",
            name="items",
            hovertemplate="%{x:.0f} % of the items have %{y:.1f} % of the interactions",
            line={"color": COLOURS[0], "width": 2.5},
        )
    )
    figure.add_trace(
        go.Scatter(
            x=[0, 100],
            y=[0, 100],
            mode="lines",
            name="equal popularity",
            hoverinfo="skip",
            line={"color": "#999999", "width": 1},
        )
    )
    figure.update_xaxes(range=[0, 100])
    return figure.update_yaxes(range=[0, 100])


def rank_frequency_plot(profile: Profile) -> go.Figure:
    """Draw the number of interactions by popularity rank, on logarithmic axes."""
    totals = profile["totals"]
    figure = base_figure(
        f"{totals['rare_items']:,} of {totals['items']:,} items have 1 to 5 interactions, "
        f"{totals['unused_items']:,} have none",
        "Rank of the item (1: most popular; logarithmic)",
        "Interactions of the item (logarithmic)",
    )
    figure.add_trace(
        go.Scatter(
            x=profile["rank_frequency"]["rank"],
            y=profile["rank_frequency"]["count"],
            mode="lines+markers",
            marker={"size": 5},
            line={"color": COLOURS[0], "width": 2},
            hovertemplate="rank %{x:,}: %{y:,} interactions<extra></extra>",
        )
    )
    figure.add_vline(
        x=totals["head_items"],
        line={"color": "#7F7F7F", "dash": "dash"},
        annotation_text="head | tail",
    )
    figure.update_xaxes(type="log")
    return figure.update_yaxes(type="log")


def head_tail_plot(profile: Profile) -> go.Figure:
    """Draw the shares of head and tail in the items and in the interactions."""
    totals = profile["totals"]
    figure = base_figure("Head and tail: share of items and of interactions", "Share (%)", "")
    names = ("head", "tail", "unused")
    items = [totals[f"{name}_items"] for name in names]
    shares = [totals["head_share"], totals["tail_share"], 0.0]
    for place, (name, n, share) in enumerate(zip(names, items, shares, strict=True)):
        values = [100 * n / totals["items"], 100 * share]
        figure.add_trace(
            go.Bar(
                x=values,
                y=["items", "interactions"],
                orientation="h",
                name=name,
                marker={"color": COLOURS[place], "pattern": {"shape": ("", "/", ".")[place]}},
                text=[f"{name} {value:.0f} %" if value >= 8 else "" for value in values],
                textposition="inside",
                insidetextanchor="middle",
                textfont={"color": "white", "size": 15},
                hovertemplate=f"{name}: %{{x:.1f}} %<extra></extra>",
            )
        )
    return figure.update_layout(barmode="stack")


def history_length_plot(profile: Profile) -> go.Figure:
    """Draw the number of users by history length."""
    totals = profile["totals"]
    rows = profile["history_lengths"]
    figure = base_figure(
        f"History length of {totals['users']:,} users (median {totals['median_history']:g} items)",
        "Items in the user's history",
        "Users",
    )
    figure.add_trace(
        go.Bar(
            x=[row["length"] for row in rows],
            y=[row["users"] for row in rows],
            marker={"color": COLOURS[0]},
            text=[f"{row['users']:,}" for row in rows],
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{x} items: %{y:,} users<extra></extra>",
        )
    )
    return figure.update_xaxes(type="category")


def newcomers_plot(profile: Profile) -> go.Figure:
    """Draw interactions, new users and new items per month; empty without calendar times."""
    months = profile["months"]
    title = "Interactions, new users and new items by month"
    if not months:
        title += " (no calendar times in the data)"
    figure = base_figure(title, "Month", "Count (logarithmic)")
    for place, name in enumerate(("interactions", "new_users", "new_items")):
        figure.add_trace(
            go.Scatter(
                x=[row["month"] for row in months],
                y=[row[name] or None for row in months],
                mode="lines+markers",
                name=name.replace("_", " "),
                line={"color": COLOURS[place], "dash": ("solid", "dash", "dot")[place]},
                marker={"symbol": ("circle", "square", "diamond")[place], "size": 8},
                hovertemplate="%{y:,}",
            )
        )
    figure.update_yaxes(type="log")
    return figure.update_layout(hovermode="x unified")


def filled_fields_plot(profile: Profile) -> go.Figure:
    """Draw the share of items with a value in each field."""
    filled = profile["filled"]
    figure = base_figure(
        f"Filled fields of the {profile['totals']['items']:,} items", "Items (%)", "Field"
    )
    figure.add_trace(_labelled_bars(list(filled), [100 * share for share in filled.values()], " %"))
    figure.update_xaxes(range=[0, 110])
    return figure.update_yaxes(autorange="reversed")


def cleaning_rules_plot(profile: Profile) -> go.Figure:
    """Draw the number of rows that each cleaning rule rejected."""
    totals = profile["totals"]
    rows = [row for row in profile["rules"] if row["rows"]]
    figure = base_figure(
        f"Rejected rows by rule ({totals['rows_kept']:,} of {totals['rows_in']:,} log rows kept)",
        "Rows",
        "Rule",
    )
    names = [f"{row['file']}: {row['rule']}" for row in rows] or ["no rule"]
    figure.add_trace(_labelled_bars(names, [row["rows"] for row in rows] or [0], ""))
    figure.update_xaxes(rangemode="tozero")
    return figure.update_yaxes(autorange="reversed")


def _labelled_bars(names: list[str], values: list[float], unit: str) -> go.Bar:
    return go.Bar(
        x=values,
        y=names,
        orientation="h",
        marker={"color": COLOURS[0]},
        text=[f"{value:,.0f}{unit}" for value in values],
        textposition="outside",
        cliponaxis=False,
        hovertemplate=f"%{{y}}: %{{x:,.1f}}{unit}<extra></extra>",
    )


PLOTS = {
    "popularity_lorenz_plot": popularity_lorenz_plot,
    "rank_frequency_plot": rank_frequency_plot,
    "head_tail_plot": head_tail_plot,
    "history_length_plot": history_length_plot,
    "newcomers_plot": newcomers_plot,
    "filled_fields_plot": filled_fields_plot,
    "cleaning_rules_plot": cleaning_rules_plot,
}
