"""How values are written, in the terminal and on the pages."""

METRIC_NAMES = {"ndcg": "NDCG", "recall": "Recall"}


def ratio(value: float | None) -> str:
    """Return a ratio such as "x1.20", "-" where there is none."""
    return "-" if value is None else f"x{value:.2f}"
