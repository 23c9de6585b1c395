"""Plotly figures of the profile of the data."""

from typing import Any

import plotly.graph_objects as go

from longtail.reporting.figures import COLOURS, base_figure

Profile = dict[str, Any]


def popularity_lorenz_plot(profile: Profile) -> go.Figure:
    """Draw how the interactions are shared out over the catalogue (Lorenz, 1905)."""
    totals = profile["totals"]
    figure = base_figure(
        f"{100 * totals['head_share']:.0f} % of the interactions are with the "
        f"{totals['head_items']:,} head items (Gini {totals['gini']:.2f})",
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
    """Draw the interactions of the items by rank, both axes logarithmic."""
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
    """Draw what share of the items and of the interactions is head and tail."""
    totals = profile["totals"]
    figure = base_figure("Head and tail of the catalogue", "Share (%)", "")
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
    """Draw how many users have how long a history."""
    totals = profile["totals"]
    rows = profile["history_lengths"]
    figure = base_figure(
        f"Half of the {totals['users']:,} users have {totals['median_history']:g} items or fewer",
        "Items of the user",
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
    """Draw interactions, new users and new items of every month; empty without calendar times."""
    months = profile["months"]
    title = "Interactions, new users and new items by month"
    if not months:
        title += ": the data have no calendar times"
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
    """Draw which fields of the catalogue are filled."""
    filled = profile["filled"]
    figure = base_figure(
        f"Fields filled in the {profile['totals']['items']:,} items", "Items (%)", "Field"
    )
    figure.add_trace(_labelled_bars(list(filled), [100 * share for share in filled.values()], " %"))
    figure.update_xaxes(range=[0, 110])
    return figure.update_yaxes(autorange="reversed")


def cleaning_rules_plot(profile: Profile) -> go.Figure:
    """Draw how many rows each rule of the cleaning took out."""
    totals = profile["totals"]
    rows = [row for row in profile["rules"] if row["rows"]]
    figure = base_figure(
        f"{totals['rows_kept']:,} of {totals['rows_in']:,} rows of the log were kept; "
        "rows taken out by rule",
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
